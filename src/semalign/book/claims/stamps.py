"""Stamps of files: what is made from files is kept while their sizes and times are the same, as in git's index."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

RECENT = 100_000_000  # nanoseconds; a file that changes twice in a tick of its clock keeps its time


class Stamp(NamedTuple):
    """A file as it is now: path, size, times of the last change in nanoseconds, and inode.

    ``taken`` is 0, but for a file that has just changed it is when the stamp was taken: what is made from such a file
    is not found again, since the file may change once more without another size or time.
    """

    path: str
    size: int
    modified: int
    changed: int
    inode: int
    taken: int

    @property
    def name(self) -> str:
        """Name of the file."""
        return os.path.basename(self.path)


def stamp(path: Path | str) -> Stamp:
    """Return the stamp of a file.

    Raises:
        FileNotFoundError: if there is no such file.
    """
    return _stamp(str(path), os.stat(path))


def stamps(folder: Path, suffix: str) -> Iterator[Stamp]:
    """Yield the stamps of the files of a folder whose names have an ending; none if there is no such folder."""
    if folder.is_dir():
        with os.scandir(folder) as entries:
            yield from (_stamp(each.path, each.stat()) for each in entries if each.name.endswith(suffix))


def _stamp(path: str, found: os.stat_result) -> Stamp:
    now = time.time_ns()
    taken = now if max(found.st_mtime_ns, found.st_ctime_ns) > now - RECENT else 0
    return Stamp(path, found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, taken)
