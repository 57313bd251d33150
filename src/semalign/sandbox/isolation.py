"""Start an isolated interpreter: in namespaces made by bubblewrap, or with what the kernel offers without them."""

import itertools
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from semalign.sandbox.errors import SandboxError
from semalign.sandbox.inside.forking import MESSAGE
from semalign.sandbox.inside.kernel import LANDLOCK_ABI, landlock_abi
from semalign.sandbox.inside.seccomp import MACHINES
from semalign.sandbox.inside.worker import READY

MODES = ("bubblewrap", "limits")
HERE = Path(__file__).parent
NOBODY = "65534"
USERS = range(61184, 65520)  # for programs that root starts; systemd keeps these numbers free for the same use

# Like -I (no script folder, user packages or Python settings), and without site packages. Unlike -I, these flags keep
# PYTHONHASHSEED in effect, so that a program that depends on the order of a set always gets the same verdict.
FLAGS = ("-P", "-s", "-S")
# An arena of the allocator for each thread would use up the address space with a handful of threads.
ENVIRONMENT = {"PYTHONHASHSEED": "0", "MALLOC_ARENA_MAX": "1"}


def sandbox_mode(mode: str | None = None) -> str:
    """Return how programs are isolated: ``mode``, else the variable ``SEMALIGN_SANDBOX``, else ``"bubblewrap"``.

    ``"bubblewrap"`` means namespaces, a filter of system calls and limits. ``"limits"`` needs no namespaces: limits and
    the filter, and the kernel restricts paths. Where the kernel cannot, a guard in Python does, which contains careless
    programs but not hostile ones. :mod:`semalign.sandbox.inside.confinement` compares them.

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
            "newer) and allow users to make namespaces; or use --sandbox=limits or set SEMALIGN_SANDBOX=limits, which "
            "needs no bubblewrap and isolates less, as the record then states."
        )
    return mode


@cache
def _problem() -> str | None:
    if shutil.which("bwrap") is None:
        return "bwrap is not installed"
    if platform.machine() not in MACHINES:
        return f"there is no filter of system calls for {platform.machine()}, only for {', '.join(MACHINES)}"
    control, theirs = socket.socketpair()
    channel, program = socket.socketpair()
    ready = False
    with control, channel:
        process = start("program", "bubblewrap", theirs, stderr=subprocess.PIPE)
        theirs.close()
        with suppress(OSError):
            announce(control, (10, 2**29), program)
            channel.shutdown(socket.SHUT_WR)  # no program comes
            ready = READY in channel.recv(64)
        control.close()
        said = process.communicate()[1].decode(errors="replace")
    return None if ready else f"it does not work here: {' '.join(said.split()) or process.returncode}"


def announce(control: socket.socket, numbers: Iterable[int], *sockets: socket.socket) -> None:
    """Send a case to a process that forks for each: some numbers, and sockets, which are then closed here.

    Raises:
        OSError: if the process is gone.
    """
    for each in sockets:
        each.setblocking(True)
    try:
        text = " ".join(map(str, numbers)).ljust(MESSAGE)
        socket.send_fds(control, [text.encode()], [each.fileno() for each in sockets])
    finally:
        for each in sockets:
            each.close()


def mechanism(mode: str) -> str:
    """Return what isolates programs in a mode, see :mod:`semalign.sandbox.inside.confinement`."""
    if mode == "bubblewrap":
        return "namespaces"
    if sys.platform != "linux" or platform.machine() not in MACHINES:
        return "guard"
    return "landlock" if landlock_abi() >= LANDLOCK_ABI else "filter"


def start(
    role: str, mode: str, stdin: socket.socket, stderr: int = subprocess.DEVNULL, **arguments: Any
) -> subprocess.Popen:
    """Start an interpreter that runs programs or tests, as an ordinary user even if this process is root's.

    Args:
        role: a module of the package ``inside``, of which it runs ``main``.
        mode: one of ``MODES``.
        stdin: its standard input, its only connection to this process; its output is discarded.
        stderr: destination of its standard error.
        arguments: further arguments of ``main``.
    """
    arguments |= {"mechanism": mechanism(mode), "user": next(_users()), "parent": os.getpid()}
    arguments["readable"] = tuple(map(str, _interpreter()))
    bubblewrap = mode == "bubblewrap"
    folder = "/sandbox" if bubblewrap else str(HERE)
    code = f"import sys; sys.path.insert(0, {folder!r}); from inside.{role} import main; del sys.path[0]; "
    python = [os.path.realpath(sys.executable), *FLAGS, "-c", f"{code}main(**{arguments!r})"]
    # The child limits itself: a preexec_fn would make Python fork a copy of a large parent process.
    return subprocess.Popen(
        [*(_namespaces() if bubblewrap else ()), *python],
        stdin=stdin.fileno(),
        stdout=subprocess.DEVNULL,
        stderr=stderr,
        cwd="/",
        env=ENVIRONMENT,
        start_new_session=True,
    )


def stop(process: subprocess.Popen) -> None:
    """Kill a process and all processes that it started; a process that has ended keeps its exit code."""
    try:
        os.killpg(process.pid, signal.SIGKILL)  # the namespace ends with bubblewrap
    except (ProcessLookupError, PermissionError):
        pass
    process.kill()
    process.wait()


@cache
def _users() -> itertools.cycle:
    """Return the users as whom programs run, in turn, since limits are counted for each user; None if not root."""
    if os.geteuid():
        return itertools.cycle([None])
    first = os.getpid() % len(USERS)
    return itertools.cycle([*USERS[first:], *USERS[:first]])


@cache
def _namespaces() -> tuple[str, ...]:
    """Return bubblewrap's command, which exposes only the interpreter and the C library, read-only.

    The capabilities are those that ``inside.confinement`` needs and then drops, and that to kill a program's process,
    which is another user's. Root needs no namespace of users
    and gets none, because in it the program's user would be root outside.
    """
    paths = _interpreter()
    folders = sorted({str(parent) for path in (*paths, Path("/dev/x"), Path("/sandbox/x")) for parent in path.parents})
    open_to_all = [option for folder in (*folders, "/tmp") for option in ("--perms", "0755", "--dir", folder)]
    binds = [option for path in paths for option in ("--ro-bind", str(path), str(path))]
    if os.geteuid():
        users: tuple[str, ...] = ("--unshare-user", "--uid", NOBODY, "--gid", NOBODY, "--cap-add", "CAP_SYS_ADMIN")
    else:
        users = tuple(
            part for name in ("SYS_ADMIN", "SETUID", "SETGID", "KILL") for part in ("--cap-add", f"CAP_{name}")
        )
    return (
        str(shutil.which("bwrap")),
        *("--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"),
        *("--cap-drop", "ALL", *users, "--hostname", "sandbox", "--die-with-parent", "--new-session"),
        *open_to_all,
        *binds,
        *("--ro-bind", str(HERE / "inside"), "/sandbox/inside"),
        *("--dev-bind", os.devnull, os.devnull, "--dev-bind", "/dev/urandom", "/dev/urandom"),
        *("--remount-ro", "/", "--"),
    )


def _interpreter() -> list[Path]:
    """Return the paths that the interpreter needs: its executable, its libraries and those of the system."""
    prefix = Path(sys.base_prefix)
    libraries = [folder / name for folder in (prefix, Path("/usr"), Path("/")) for name in ("lib", "lib64")]
    paths = [Path(os.path.realpath(sys.executable)), *libraries, Path("/etc/ld.so.cache"), Path("/usr/share/zoneinfo")]
    shared = sysconfig.get_config_var("LIBDIR")
    paths += [Path(shared)] if shared else []
    return list(dict.fromkeys(path for path in paths if path.exists()))
