"""The guard of the mode ``limits`` where the kernel offers less: an audit hook of the interpreter.

The guard lets harmless events pass and refuses all others: new processes, the network, every change of a file, the C
library, and a look at all objects of the interpreter. A program can reach neither what it compares with nor what it
calls: both are arguments of one function and of built-in types.
"""

from __future__ import annotations

import os
import sys
from _collections_abc import Callable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any
else:
    Any = object

Hook = Callable[[str, "tuple[Any, ...]"], None]

HARMLESS = frozenset({
    "_thread.start_joinable_thread", "_thread.start_new_thread", "array.__new__", "builtins.id", "builtins.input",
    "builtins.input/result", "code.__new__", "compile", "exec", "function.__new__", "glob.glob", "glob.glob/2",
    "marshal.dumps", "marshal.load", "marshal.loads", "mmap.__new__", "object.__delattr__", "object.__getattr__",
    "object.__setattr__", "os.fwalk", "os.putenv", "os.unsetenv", "os.walk", "pathlib.Path.glob", "pathlib.Path.rglob",
    "pathlib.Path.walk", "pickle.find_class", "sys._getframe", "sys._getframemodulename",
    "sys.excepthook", "sys.set_asyncgen_hooks_finalizer", "sys.set_asyncgen_hooks_firstiter", "sys.setprofile",
    "sys.settrace", "sys.unraisablehook", "tempfile.mkdtemp", "tempfile.mkstemp", "time.sleep",
})  # fmt: skip
READS = frozenset({"open", "os.listdir", "os.scandir"})
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
# Modules with functions that reach files, memory or processes and raise no event.
REFUSED_MODULES = frozenset({
    "_ctypes", "_curses", "_dbm", "_gdbm", "_multiprocessing", "_posixshmem", "_posixsubprocess", "_testcapi",
    "_testinternalcapi", "_tkinter", "ctypes", "posix", "readline",
})  # fmt: skip
SILENT = (
    "chflags", "chroot", "copy_file_range", "lchflags", "lchmod", "memfd_create", "mkfifo", "mknod", "nice",
    "pidfd_open", "sched_setaffinity", "sched_setparam", "sched_setscheduler", "sendfile", "setns", "setpgid",
    "setpriority", "setsid", "splice", "sync", "unshare",
)  # fmt: skip


def guard(readable: tuple[str, ...]) -> Hook:
    """Return an audit hook that refuses all but harmless events, and all files but those beneath ``readable``."""
    folders = tuple(f"{path}/" for path in readable)
    files = frozenset(readable)

    # Arguments, not variables of the outer function: in Python 3.13, who holds a frame can change the latter.
    def hook(
        event: str,
        args: tuple[Any, ...],
        kind: type = type,
        text: type = str,
        number: type = int,
        null: str = os.devnull,
        names: tuple[frozenset[str], ...] = (HARMLESS, READS, REFUSED_MODULES, files),
        folders: tuple[str, ...] = folders,
        writes: int = WRITES,
    ) -> None:
        harmless, reads, refused_modules, files = names
        if event in harmless:
            return
        of: Any = args[0] if args else None
        if event == "import" and kind(of) is text and of not in refused_modules:
            return
        if event in reads and kind(of) is number:  # a descriptor, which was checked when it was opened
            return
        if event in reads and kind(of) is text and not (event == "open" and (args[2] or 0) & writes and of != null):
            if of == null or of in files or (of.startswith(folders) and "/../" not in f"{of}/"):
                return
        raise PermissionError(f"{event} is not allowed")

    return hook


def start_guard(readable: tuple[str, ...]) -> None:
    """Install the guard in this process, for ever, and remove functions that raise no event."""
    for module in (os, sys.modules[os.name]):
        for name in SILENT:
            vars(module).pop(name, None)
    for name in REFUSED_MODULES - {os.name}:
        sys.modules.pop(name, None)
    sys.addaudithook(guard(readable))
