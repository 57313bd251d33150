"""Start an isolated interpreter: in namespaces made by bubblewrap, or with limits only."""

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
TEMPORARY = 16 * 1024**2  # size of the private /tmp in bytes
NOBODY = "65534"

# Like -I (no script folder, user packages or Python settings), and without site packages. Unlike -I, these flags keep
# PYTHONHASHSEED in effect, so that a program that depends on the order of a set always gets the same verdict.
FLAGS = ("-P", "-s", "-S")
# An arena of the allocator for each thread would use up the address space with a handful of threads.
ENVIRONMENT = {"PYTHONHASHSEED": "0", "MALLOC_ARENA_MAX": "1"}


def sandbox_mode(mode: str | None = None) -> str:
    """Return how programs are isolated: ``mode``, else the variable ``SEMALIGN_SANDBOX``, else ``"bubblewrap"``.

    ``"bubblewrap"`` means namespaces, a filter of system calls and limits. ``"limits"`` means limits and a fresh
    interpreter only, which contains careless programs but not hostile ones.

    Raises:
        SandboxError: if bubblewrap is requested but does not work; the message says what to do.
        ValueError: for another mode.
    """
    mode = mode or os.environ.get("SEMALIGN_SANDBOX") or "bubblewrap"
    if mode not in MODES:
        raise ValueError(f"no sandbox {mode!r}; choose from {' and '.join(map(repr, MODES))}")
    if mode == "bubblewrap" and (problem := _problem()):
        raise SandboxError(
            f"generated programs run in bubblewrap, and {problem}. Install it (apt-get install bubblewrap, 0.7 or "
            "newer) and allow users to make namespaces; or, if the programs are not hostile, use --sandbox=limits or "
            "set SEMALIGN_SANDBOX=limits: limits and a fresh interpreter only, which the record states."
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
        stdin: its standard input, its only connection to this process; its output is discarded.
        folder: its working folder in mode ``limits``; with bubblewrap this is a private /tmp.
        filtered: whether to refuse the system calls of :mod:`semalign.sandbox.seccomp` (bubblewrap only).
        stderr: destination of its standard error.
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
    # The child sets its own limits: a preexec_fn would make Python fork a copy of a large parent process.
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
    """Kill a process and all processes that it started; a process that has ended keeps its exit code."""
    try:
        os.killpg(process.pid, signal.SIGKILL)  # the namespace ends with bubblewrap
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
    """Return bubblewrap's command, which exposes only the interpreter and the C library, read-only."""
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
    """Return the paths that the interpreter needs: its executable, its libraries and those of the system."""
    prefix = Path(sys.base_prefix)
    libraries = [folder / name for folder in (prefix, Path("/usr"), Path("/")) for name in ("lib", "lib64")]
    paths = [Path(os.path.realpath(sys.executable)), *libraries, Path("/etc/ld.so.cache"), Path("/usr/share/zoneinfo")]
    shared = sysconfig.get_config_var("LIBDIR")
    paths += [Path(shared)] if shared else []
    return list(dict.fromkeys(path for path in paths if path.exists()))
