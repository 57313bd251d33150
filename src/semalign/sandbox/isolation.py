"""Start an interpreter apart from everything: in namespaces made by bubblewrap, or with limits only."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
from functools import cache
from pathlib import Path

from semalign.sandbox.errors import SandboxError
from semalign.sandbox.seccomp import filter_program

MODES = ("bubblewrap", "limits")
HERE = Path(__file__).parent
TEMPORARY = 16 * 1024**2  # bytes of the private /tmp
NOBODY = "65534"

# As -I (no script folder, user packages or Python settings), and no site packages. Unlike -I it heeds the hash
# seed, so that a program that depends on the order of a set gives the same verdict each time.
FLAGS = ("-P", "-s", "-S")
ENVIRONMENT = {"PYTHONHASHSEED": "0"}


def sandbox_mode(mode: str | None = None) -> str:
    """Return how programs are kept apart: ``mode``, else the variable ``SEMALIGN_SANDBOX``, else ``"bubblewrap"``.

    ``"bubblewrap"`` is namespaces, a filter of system calls and limits; ``"limits"`` is limits and a fresh
    interpreter only, which holds careless programs but not hostile ones.

    Raises:
        SandboxError: if bubblewrap is asked for and does not work here; it says what to do.
        ValueError: for another mode.
    """
    mode = mode or os.environ.get("SEMALIGN_SANDBOX") or "bubblewrap"
    if mode not in MODES:
        raise ValueError(f"no sandbox {mode!r}; there is {' and '.join(map(repr, MODES))}")
    if mode == "bubblewrap" and (problem := _problem()):
        raise SandboxError(
            f"generated programs run in bubblewrap, and {problem}. Install it (apt-get install bubblewrap, 0.7 or "
            "newer) and let users make namespaces; or, for programs that are careless at worst, say --sandbox=limits "
            "or set SEMALIGN_SANDBOX=limits: limits and a fresh interpreter only, which is recorded."
        )
    return mode


@cache
def _problem() -> str | None:
    if shutil.which("bwrap") is None:
        return "bwrap is not installed"
    ours, theirs = socket.socketpair()
    with ours, theirs:
        try:
            process = start("", "bubblewrap", theirs, "/", filtered=True, stderr=subprocess.PIPE)
        except SandboxError as error:
            return str(error)
        said = " ".join(process.communicate()[1].decode(errors="replace").split())
    return f"it does not work here: {said or process.returncode}" if process.returncode else None


def start(
    code: str,
    mode: str,
    stdin: socket.socket,
    folder: str,
    filtered: bool = False,
    stderr: int = subprocess.DEVNULL,
) -> subprocess.Popen:
    """Start an interpreter that runs ``code``, in which the package ``inside`` can be imported.

    Args:
        code: Python source.
        mode: one of ``MODES``.
        stdin: its standard input, the only thing that it shares with this process; what it prints is discarded.
        folder: where it starts in mode ``limits``; with bubblewrap that is a private /tmp.
        filtered: refuse the system calls of :mod:`semalign.sandbox.seccomp` (bubblewrap only).
        stderr: where its errors go.
    """
    python = [os.path.realpath(sys.executable), *FLAGS, "-c"]
    if mode == "limits":
        return _popen([*python, _with_path(HERE, code)], stdin, folder, (), stderr)
    python.append(_with_path(Path("/sandbox"), code))
    if not filtered:
        return _popen([*_namespaces(), "--", *python], stdin, "/", (), stderr)
    reader = _filter_pipe()
    try:
        return _popen([*_namespaces(), "--seccomp", str(reader), "--", *python], stdin, "/", (reader,), stderr)
    finally:
        os.close(reader)


def _with_path(folder: Path, code: str) -> str:
    return f"import sys; sys.path.insert(0, {str(folder)!r})\n{code}"


def _popen(
    command: list[str], stdin: socket.socket, folder: str, pass_fds: tuple[int, ...], stderr: int
) -> subprocess.Popen:
    # No preexec_fn: the child sets its own limits, so that a large parent process need not be copied.
    return subprocess.Popen(
        command,
        stdin=stdin.fileno(),
        stdout=subprocess.DEVNULL,
        stderr=stderr,
        cwd=folder,
        env=ENVIRONMENT,
        pass_fds=pass_fds,
        start_new_session=True,
    )


def stop(process: subprocess.Popen) -> None:
    """Kill a process and all that it started. One that has ended keeps its exit code."""
    try:
        os.killpg(process.pid, signal.SIGKILL)  # bubblewrap takes its namespace with it
    except (ProcessLookupError, PermissionError):
        pass
    process.wait()


def _filter_pipe() -> int:
    reader, writer = os.pipe()
    with open(writer, "wb") as file:
        file.write(filter_program())
    return reader


@cache
def _namespaces() -> tuple[str, ...]:
    """Return bubblewrap's command: nothing of this machine but the interpreter and the C library, all read-only."""
    binds = [option for path in _interpreter() for option in ("--ro-bind", str(path), str(path))]
    return (
        str(shutil.which("bwrap")),
        *("--unshare-all", "--unshare-user", "--uid", NOBODY, "--gid", NOBODY, "--hostname", "sandbox"),
        *("--die-with-parent", "--new-session", "--cap-drop", "ALL"),
        *binds,
        *("--ro-bind", str(HERE / "inside"), "/sandbox/inside"),
        *("--dev-bind", os.devnull, os.devnull, "--dev-bind", "/dev/urandom", "/dev/urandom"),
        *("--size", str(TEMPORARY), "--tmpfs", "/tmp"),
        *("--remount-ro", "/", "--chdir", "/tmp"),
    )


def _interpreter() -> list[Path]:
    """Return what the interpreter needs to run: itself, its libraries, and the system's. No /proc, no /etc."""
    prefix = Path(sys.base_prefix)
    libraries = [folder / name for folder in (prefix, Path("/usr"), Path("/")) for name in ("lib", "lib64")]
    paths = [Path(os.path.realpath(sys.executable)), *libraries, Path("/etc/ld.so.cache")]
    shared = sysconfig.get_config_var("LIBDIR")
    paths += [Path(shared)] if shared else []
    return list(dict.fromkeys(path for path in paths if path.exists()))
