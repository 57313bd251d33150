"""Checks that results can be written, made before any work that would otherwise be lost."""

import os
import shutil
import tempfile
from pathlib import Path

LEAST = 2**20  # bytes that an output needs at least


def check_folder(path: Path | str, needed: int = LEAST) -> Path:
    """Return the path of an output folder, which need not exist yet, if it can be made and written to.

    Args:
        path: the folder.
        needed: bytes that will be written.

    Raises:
        NotADirectoryError: if the path, or a part of it, is a file.
        OSError: if nothing can be written there, or the disk has less room than needed.
    """
    text = os.fspath(path) if isinstance(path, str | os.PathLike) else ""
    if not isinstance(text, str) or not text.strip() or "\0" in text:
        raise ValueError(f"the output folder must be a path; it is {path!r}")
    return _check(Path(path).expanduser(), Path(path).expanduser(), needed)


def check_file(path: Path | str) -> Path:
    """Return the path of an output file, which need not exist yet, if it can be written.

    Raises:
        IsADirectoryError: if the path is a folder.
        OSError: see :func:`check_folder`, of the file's folder.
    """
    file = Path(path).expanduser()
    if file.is_dir():
        raise IsADirectoryError(f"{file} is a folder: give the path of a file")
    return _check(file, file.parent, LEAST)


def _check(output: Path, folder: Path, needed: int) -> Path:
    """Return the path of an output if a folder for it can be made and written to."""
    try:
        existing = next(part for part in (folder.absolute(), *folder.absolute().parents) if part.exists())
        if not existing.is_dir():
            raise NotADirectoryError(f"nothing can be written to {output}: {existing} is a file; choose another place")
        with tempfile.TemporaryFile(dir=existing) as file:
            file.write(b"\0" * 4096)
            file.flush()
        free = shutil.disk_usage(existing).free
    except OSError as error:
        if error.strerror is None:
            raise
        raise type(error)(f"nothing can be written to {output}: {error.strerror}; choose another place") from error
    if free < needed:
        raise OSError(f"{output} needs {_megabytes(needed)}, and its disk has only {_megabytes(free)} free: make room")
    return output


def _megabytes(size: int) -> str:
    return f"{size / 2**20:,.0f} MB"
