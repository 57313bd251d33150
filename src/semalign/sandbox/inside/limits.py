"""Limits that a process sets on itself, and the guard that replaces namespaces in mode ``limits``."""

from __future__ import annotations

import os
import resource
import sys
from _collections_abc import Callable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any
else:
    Any = object

FILE_SIZE = 4 * 1024**2
OPEN_FILES = 32
THREADS = 64

FORBIDDEN = {
    "ctypes.dlopen",
    "os.exec",
    "os.fork",
    "os.forkpty",
    "os.kill",
    "os.killpg",
    "os.posix_spawn",
    "os.spawn",
    "os.system",
    "signal.pthread_kill",
    "subprocess.Popen",
}
CHANGES_A_PATH = {
    "os.chmod",
    "os.chown",
    "os.link",
    "os.mkdir",
    "os.remove",
    "os.removexattr",
    "os.rename",
    "os.rmdir",
    "os.setxattr",
    "os.symlink",
    "os.truncate",
    "os.utime",
    "shutil.rmtree",
    "sqlite3.connect",
}
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def limit(cpu_seconds: int, memory: int) -> None:
    """Limit processor seconds, bytes of address space and files of this process; skip limits that the system lacks.

    The limit of :func:`limit_threads` does not bind root; the filter of system calls and memory bound threads then.
    """
    limits = {
        "RLIMIT_CPU": (cpu_seconds, cpu_seconds + 1),  # SIGXCPU, then SIGKILL
        "RLIMIT_AS": (memory, memory),
        "RLIMIT_FSIZE": (FILE_SIZE, FILE_SIZE),
        "RLIMIT_NOFILE": (OPEN_FILES, OPEN_FILES),
        "RLIMIT_CORE": (0, 0),
    }
    for name, soft_and_hard in limits.items():
        try:
            resource.setrlimit(getattr(resource, name), soft_and_hard)
        except (AttributeError, OSError, ValueError):
            pass


def limit_threads() -> None:
    """Limit the threads in this sandbox; outside a sandbox, all processes of the user would count."""
    resource.setrlimit(resource.RLIMIT_NPROC, (THREADS, THREADS))


def guard(folder: str) -> Callable[[str, tuple[Any, ...]], None]:
    """Return an audit hook that refuses new processes, sockets, and changes to files outside ``folder``.

    It is for the mode without namespaces. It stops careless programs from doing harm but not hostile ones.
    """

    def inside(path: Any) -> bool:
        if isinstance(path, int):  # a file descriptor, which was checked when it was opened
            return True
        return (os.path.realpath(os.fsdecode(path)) + "/").startswith(folder + "/")

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event in FORBIDDEN or event.startswith("socket."):
            raise PermissionError(f"{event} is not allowed")
        if event in CHANGES_A_PATH or (event == "open" and (args[2] or 0) & WRITES):
            paths = args[:2] if event in ("os.rename", "os.link", "os.symlink") else args[:1]
            if not all(map(inside, paths)):
                raise PermissionError(f"{event} outside the working folder is not allowed")

    return hook


def start_guard() -> None:
    """Install the guard in this process; only its working folder may be written to."""
    sys.addaudithook(guard(os.path.realpath(os.getcwd())))
