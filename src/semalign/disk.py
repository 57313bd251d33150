"""What every write needs: a temporary folder, the umask's modes, and errors of one line."""

import errno
import hashlib
import os
import re
import secrets
import shutil
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from semalign.paths import cache_dir

WEEK = 7 * 24 * 3600.0  # seconds; no write takes as long
FULL = {errno.ENOSPC, errno.EDQUOT}
DISK = {*FULL, errno.EFBIG, errno.EIO, errno.EROFS}  # errors of the disk, whatever file they name
PLACE = {errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG}


@contextmanager
def temporary_folder(parent: Path) -> Iterator[Path]:
    """Yield a new hidden folder in ``parent`` and remove it at the end of the block, with what is left in it.

    Its name has the machine, the process and a random part, so that containers that share a disk do not collide.
    Folders of processes that were killed are removed by the next one that writes in the same place.
    """
    parent.mkdir(parents=True, exist_ok=True)
    for left in parent.glob(".tmp-*-*-*"):
        if _abandoned(left):
            shutil.rmtree(left, ignore_errors=True)
    folder = parent / f".tmp-{_machine()}-{os.getpid()}-{secrets.token_hex(4)}"
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _machine() -> str:
    """Return a short name of the machine and, where processes are numbered apart, of the container."""
    space = Path("/proc/self/ns/pid")
    numbers = os.readlink(space) if space.exists() else ""
    return hashlib.sha256(f"{socket.gethostname()} {numbers}".encode()).hexdigest()[:8]


def _abandoned(folder: Path) -> bool:
    """Return whether the process of a temporary folder has ended or, on another machine, must have."""
    _, machine, process, _ = folder.name.split("-", 3)
    try:
        if machine != _machine():
            return folder.stat().st_mtime < time.time() - WEEK
        os.kill(int(process), 0)
    except (ProcessLookupError, FileNotFoundError):  # another process may have removed the folder
        return True
    except (OSError, ValueError):
        return False
    return False


def usual_mode(folder: Path) -> int:
    """Return the mode of a new file in a folder, which the umask decides."""
    (probe := folder / ".mode").touch()
    mode = stat.S_IMODE(probe.stat().st_mode)
    probe.unlink()
    return mode


def set_modes(folder: Path, mode: int) -> None:
    """Give all files below a folder a mode: some libraries make files that only their owner can read."""
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink() and stat.S_IMODE(path.stat().st_mode) != mode:
            path.chmod(mode)


@contextmanager
def write_errors(path: Path) -> Iterator[None]:
    """Turn the errors of writing ``path``, those of libraries in Rust too, into an ``OSError`` of one line."""
    try:
        yield
    except Exception as error:
        if (number := _write_error(error, path.parent)) is None:
            raise
        kind = type(OSError(number, ""))  # PermissionError and others
        raise kind(f"cannot write {path}: {os.strerror(number).lower()}; {_remedy(number, path)}") from error


def _write_error(error: Exception, folder: Path) -> int | None:
    """Return the number of an error of writing in a folder; None for any other error."""
    if type(error) in (Exception, SafetensorError):  # tokenizers raises the former
        found = re.search(r"\(os error (\d+)\)", str(error))
        return int(found[1]) if found else None
    if not isinstance(error, OSError):
        return None
    if error.errno in DISK:
        return error.errno
    named = None if error.filename is None else Path(os.fsdecode(error.filename))
    here = named is not None and (named.is_relative_to(folder) or folder.is_relative_to(named))
    return error.errno if here and error.errno in PLACE else None


def _remedy(number: int, path: Path) -> str:
    if path.absolute().is_relative_to(cache_dir().absolute()):
        return "make room there, or let SEMALIGN_CACHE name a folder on another disk"
    return "make room there, or choose another disk" if number in FULL else "choose another place"
