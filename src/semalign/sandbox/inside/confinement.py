"""What a process gives up before it runs a program or its tests.

How much depends on what the system has; from the strongest ``mechanism`` to the weakest:

- ``namespaces``: bubblewrap shows the process nothing but the interpreter, and system calls are filtered. A program can
  write in a small file system in memory and nowhere else.
- ``landlock``: the kernel lets a program open the interpreter's files only, and system calls are filtered. A program
  can write nowhere.
- ``filter``: the same, except that Python's guard and not the kernel decides which files a program can read.
- ``guard``: Python's guard alone, where there is no filter of system calls.
"""

from __future__ import annotations

import os
import sys
import time
from _thread import start_new_thread

from .guard import start_guard
from .kernel import die_with, drop_capabilities, filter_calls, hide_memory, mount_tmpfs, own_mounts, restrict_paths
from .limits import limit_threads
from .seccomp import filter_program

TEMPORARY = "/tmp"
TEMPORARY_BYTES, TEMPORARY_FILES = 16 * 1024**2, 1024
WATCH = 0.5  # seconds


def settle_worker(mechanism: str, parent: int) -> None:
    """Hide the memory of a process that forks for programs and keeps its rights; arguments as in :func:`settle`."""
    if sys.platform == "linux":
        hide_memory()
        if mechanism != "namespaces":
            die_with(parent)


def settle(mechanism: str, user: int | None, parent: int) -> None:
    """Give up the rights of the process that started this one, hide its memory, and end when the other ends.

    Args:
        mechanism: see the module.
        user: the user to become if this process is root's.
        parent: the number of the process that started this one (with namespaces, bubblewrap watches it).
    """
    if mechanism == "namespaces":
        mount_tmpfs(TEMPORARY, TEMPORARY_BYTES, TEMPORARY_FILES)
        os.chdir(TEMPORARY)
    if user is not None:
        _become(user, must=mechanism == "namespaces")
    if sys.platform == "linux":
        drop_capabilities()
        hide_memory()
        if mechanism != "namespaces":
            die_with(parent)


def confine(mechanism: str, user: int | None, parent: int, readable: tuple[str, ...]) -> None:
    """Settle, and refuse what no program under test needs; only files beneath ``readable`` can be opened.

    With namespaces, the mounts of the process are its own: its files end with it.
    """
    if mechanism == "namespaces":
        own_mounts()
    settle(mechanism, user, parent)
    if mechanism == "namespaces" or os.getuid() == user:  # else all processes of the user would count
        limit_threads()
    if sys.platform != "linux":
        _watch(parent)
    seal(mechanism, readable)
    sys.modules.pop("_ctypes", None)
    if mechanism in ("filter", "guard"):
        start_guard(readable)


def seal(mechanism: str, readable: tuple[str, ...]) -> None:
    """Have the kernel refuse what no program under test, and no object that tests lend to one, needs."""
    if mechanism == "landlock":
        restrict_paths(readable)
    if mechanism != "guard":
        filter_calls(filter_program(os.uname().machine, os.getpid(), writes=mechanism != "filter"))


def _become(user: int, must: bool) -> None:
    """Become another user; without ``must``, stay if the interpreter is in a folder that only root may enter."""
    if must or _may_read_the_library(user):
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)
        open(os.__file__, "rb").close()  # else there would be no verdict but an error at the next import


def _may_read_the_library(user: int) -> bool:
    try:
        os.seteuid(user)
        open(os.__file__, "rb").close()
        return True
    except OSError:  # also if root of a container may not become the user
        return False
    finally:
        os.seteuid(0)


def _watch(parent: int) -> None:
    """Do what ``die_with`` does, by a thread."""
    ask, wait, leave = os.getppid, time.sleep, os._exit  # bound before the program can replace them

    def watch() -> None:
        while ask() == parent:
            wait(WATCH)
        leave(1)

    start_new_thread(watch, ())
