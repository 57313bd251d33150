"""What the cache folder holds, what of it is in use, and how it is removed.

Everything in it can be made or fetched again. A process that reads what it keeps in a folder over a long time holds a
lock on it, which ends with the process; what is locked is not removed.
"""

import contextlib
import fcntl
import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from semalign.paths import cache_dir

LOCK = ".lock"
TRIES = 100  # of a lock on a file that others remove
KINDS = {
    "models": "fetched models",
    "data": "fetched data",
    "downloads": "unfinished downloads",
    "states": "hidden states of training rows",
    "attribution": "scores of a teacher's layers",
    "answers": "a teacher's answers to training prompts",
    "heads": "LM heads of models",
    "identities": "identities of models",
    "seeking": "blocks that Seeking has found",
    "runs": "checkpoints of records that are not finished",
    "pretrain": "checkpoints of the micro family",
    "libraries": "files of other libraries",
}
"""The folders of the cache, with what is in them."""

_held: dict[Path, int] = {}  # descriptors of the locks of this process


class Entry(NamedTuple):
    """A file or folder of the cache.

    Attributes:
        kind: one of :data:`KINDS`.
        path: where it is.
        size: bytes.
        changed: when something in it last changed, in seconds since 1970.
    """

    kind: str
    path: Path
    size: int
    changed: float

    @property
    def days(self) -> float:
        """Days since something in it changed."""
        return (time.time() - self.changed) / 86_400


def entries(kinds: Iterable[str] = tuple(KINDS)) -> list[Entry]:
    """Return what the cache holds, in the order of the kinds; what is being written is left out."""
    return [_entry(kind, path) for kind in kinds for path in _paths(cache_dir() / kind, kind)]


def _paths(folder: Path, kind: str) -> list[Path]:
    """Return the entries of a kind: its files and folders, for records those of each results folder."""
    if not folder.is_dir():
        return []
    parts = [part for part in folder.iterdir() if not part.name.startswith(".") and part.suffix != LOCK]
    if kind == "runs":
        parts = [path for part in parts for path in _paths(part, "")]
    return sorted(parts)


def _entry(kind: str, path: Path) -> Entry:
    stats = []
    for file in (path, *path.rglob("*")):
        with contextlib.suppress(OSError):  # another process may remove it
            stats.append(file.lstat())
    sizes = [stat.st_size for stat in stats]
    return Entry(kind, path, sum(sizes), max((stat.st_mtime for stat in stats), default=0.0))


def notes_of(path: Path) -> dict[str, Any]:
    """Return what a folder of states, or a file of tensors, was made from, as far as it says so."""
    file = next(iter(sorted(path.glob("*.safetensors"))), None) if path.is_dir() else path
    try:
        with open(file, "rb") as content:  # type: ignore[arg-type]
            header = json.loads(content.read(int.from_bytes(content.read(8), "little")))
        return dict(json.loads(json.loads(header["__metadata__"]["semalign"])["notes"]))
    except (OSError, ValueError, LookupError, TypeError, OverflowError, MemoryError):
        return {}


def hold(folder: Path) -> None:
    """Keep a folder of the cache from being removed while this process lives; a temporary one is not in the way."""
    if folder in _held or any(part.startswith(".tmp-") for part in folder.parts):
        return
    with contextlib.suppress(OSError):  # where nothing can be written, nothing can be removed
        descriptor = locked_file(folder, _lock_shared)
        if descriptor is not None:
            _held[folder] = descriptor


def _lock_shared(descriptor: int) -> None:
    with contextlib.suppress(OSError):  # of a disk without locks
        fcntl.flock(descriptor, fcntl.LOCK_SH)


def locked_file(folder: Path, lock: Callable[[int], None]) -> int | None:
    """Return the open lock file of a folder, which is made if necessary; None if others remove it again and again.

    Args:
        folder: the folder.
        lock: locks an open file, or raises ``OSError``. A file that was removed before it was locked keeps nobody out
            of the folder, so that another one is made and locked.
    """
    for _ in range(TRIES):
        folder.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):  # the folder has just been removed
            descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                lock(descriptor)
            except BaseException:
                os.close(descriptor)
                raise
            if os.fstat(descriptor).st_nlink:
                return descriptor
            os.close(descriptor)
    return None


def remove(entry: Entry) -> bool:
    """Remove an entry of the cache; return whether it was removed, and not in use by a process of this machine."""
    locks = [path for path in (entry.path / LOCK, entry.path.with_name(entry.path.name + LOCK)) if path.is_file()]
    with contextlib.ExitStack() as stack:
        if not all(stack.enter_context(_alone(lock)) for lock in locks):
            return False
        if entry.path.is_dir() and not entry.path.is_symlink():
            shutil.rmtree(entry.path, ignore_errors=True)
        else:
            entry.path.unlink(missing_ok=True)
    return not entry.path.exists()


@contextmanager
def _alone(lock: Path) -> Iterator[bool]:
    """Hold a lock alone while the block runs; yield False if another process holds it."""
    descriptor = os.open(lock, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(descriptor)
