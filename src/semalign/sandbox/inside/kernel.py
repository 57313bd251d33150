"""Calls of the Linux kernel that Python's library lacks.

They are made with ``_ctypes``, the part of ctypes that is written in C. Importing all of ctypes takes half as long as
starting the interpreter, and each program would wait for it; for the same reason numbers are packed without ``struct``.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any
else:
    Any = object

SIGKILL = 9  # importing signal takes as long as starting the interpreter
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 1, 4, 22, 38
SECCOMP_MODE_FILTER = 2
MS_NOSUID_NODEV = 2 | 4
MS_REC_PRIVATE = 0x4000 | 0x40000
CLONE_NEWNS = 0x20000
CAPABILITIES_VERSION_3 = 0x20080522
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # of Landlock, the same numbers on all machines
PATH_BENEATH = 1
WRITE_FILE, READ_FILE, READ_DIR = 1 << 1, 1 << 2, 1 << 3
ALL_OF_ABI_3 = (1 << 15) - 1
LANDLOCK_ABI = 3  # the first one that can refuse to truncate


def landlock_abi() -> int:
    """Return the version of Landlock that this kernel has; 0 for none."""
    try:
        return max(_call("syscall", CREATE_RULESET, None, 0, 1), 0)
    except (AttributeError, ImportError, OSError):
        return 0


def own_mounts() -> None:
    """Give this process mounts of its own, which end with it; it needs CAP_SYS_ADMIN."""
    _must("unshare", CLONE_NEWNS)
    _must("mount", b"none", b"/", None, MS_REC_PRIVATE, None)  # what is mounted from now on is seen here only


def mount_tmpfs(folder: str, size: int, files: int) -> None:
    """Mount an empty file system in memory, for ``size`` bytes and ``files`` files; it needs CAP_SYS_ADMIN."""
    options = f"mode=1777,size={size},nr_inodes={files}".encode()
    _must("mount", b"tmpfs", folder.encode(), b"tmpfs", MS_NOSUID_NODEV, options)


def drop_capabilities() -> None:
    """Give up all capabilities, and the possibility to gain any by starting a program."""
    _must("capset", _packed(CAPABILITIES_VERSION_3, 4) + bytes(4), bytes(24))
    _must("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def hide_memory() -> None:
    """Let no process of the same user read or write this process's memory."""
    _must("prctl", PR_SET_DUMPABLE, 0, 0, 0, 0)


def die_with(parent: int) -> None:
    """Have the kernel kill this process when the process ``parent`` that started it ends."""
    _must("prctl", PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it has ended already
        os._exit(1)


def restrict_paths(readable: tuple[str, ...]) -> None:
    """Refuse to open any file but those beneath ``readable``, for reading, and the null device."""
    ruleset = _must("syscall", CREATE_RULESET, _packed(ALL_OF_ABI_3, 8), 8, 0)
    for path in readable:
        _allow(ruleset, path, READ_FILE | READ_DIR if os.path.isdir(path) else READ_FILE)
    _allow(ruleset, os.devnull, READ_FILE | WRITE_FILE)
    _must("syscall", RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)


def _allow(ruleset: int, path: str, access: int) -> None:
    descriptor = os.open(path, os.O_PATH)
    _must("syscall", ADD_RULE, ruleset, PATH_BENEATH, _packed(access, 8) + _packed(descriptor, 4), 0)
    os.close(descriptor)


def filter_calls(program: bytes) -> None:
    """Install a filter of system calls, an array of ``struct sock_filter``, for ever."""
    foreign = _foreign()
    char = type("char", (foreign._SimpleCData,), {"_type_": "c"})
    array: Any = type("array", (foreign.Array,), {"_type_": char, "_length_": len(program)})
    steps = array.from_buffer_copy(program)
    description = _packed(len(program) // 8, 8) + _packed(foreign.addressof(steps), 8)  # struct sock_fprog
    _must("prctl", PR_SET_SECCOMP, SECCOMP_MODE_FILTER, description, 0, 0)


def _packed(number: int, size: int) -> bytes:
    return number.to_bytes(size, sys.byteorder)


def _must(name: str, *arguments: bytes | int | None) -> int:
    result = _call(name, *arguments)
    if result < 0:
        raise OSError(f"the kernel refuses {name}({', '.join(map(repr, arguments[:2]))}, ...)")
    return result


def _call(name: str, *arguments: bytes | int | None) -> int:
    foreign = _foreign()
    return foreign.call_function(foreign.dlsym(foreign.dlopen(None, 0), name), arguments)


def _foreign() -> Any:
    import _ctypes  # here, so that confine() can remove it

    return _ctypes
