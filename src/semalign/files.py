"""Files that are written whole or not at all, and fingerprints of the inputs of a result."""

import hashlib
import json
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from semalign.disk import set_modes, temporary_folder, usual_mode, write_errors

logger = logging.getLogger(__name__)


class DamagedFileError(ValueError):
    """A file that this library wrote does not hold what was written, or it is of another kind."""


@contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path for ``path``, which takes its place if the block ends without an error.

    The block may write a file or make a folder there; an existing file or folder at ``path`` is replaced. The mode is
    what the umask leaves, whatever library wrote the file.

    Raises:
        OSError: if the disk is full or the place cannot be written, in one line; an existing file stays as it was.
    """
    path = Path(path)
    with write_errors(path), temporary_folder(path.parent) as folder:
        (temporary := folder / "new").mkdir()
        mode = usual_mode(folder)
        yield temporary / path.name
        set_modes(temporary, mode)
        if path.is_dir() and not path.is_symlink() and (temporary / path.name).is_dir():
            os.replace(path, folder / "old")  # a folder cannot be replaced; it is removed with the temporary one
        os.replace(temporary / path.name, path)


@contextmanager
def moved_into(folder: Path, last: Sequence[str] = ()) -> Iterator[Path]:
    """Yield a temporary folder; at the end of the block its files move to ``folder``, where other files stay.

    Each file moves whole. Those that ``last`` names come after all others, in this order.

    Raises:
        OSError: as for :func:`atomic_path`; before the end of the block nothing has changed in ``folder``.
    """
    with write_errors(folder), temporary_folder(folder) as temporary:
        mode = usual_mode(temporary)
        yield temporary
        set_modes(temporary, mode)
        place = {name: number for number, name in enumerate(last, start=1)}
        for file in sorted(temporary.iterdir(), key=lambda file: (place.get(file.name, 0), file.name)):
            os.replace(file, folder / file.name)


def write_json(path: Path | str, content: Any) -> None:
    """Write ``content`` as indented JSON, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_json(path: Path | str) -> Any:
    """Return the content of a JSON file; raise :class:`DamagedFileError`, which names it, if it is not JSON."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:  # of JSON or of UTF-8
        raise DamagedFileError(f"{path} is not JSON: {error}") from error


def keep_json(path: Path | str, content: Any) -> None:
    """Write ``content`` as JSON with a checksum, atomically."""
    write_json(path, {"checksum": json_fingerprint(content), "content": content})


def kept_json(path: Path | str) -> Any:
    """Return what :func:`keep_json` wrote, or None: without a file, and with a warning if it cannot be used."""
    try:
        kept = read_json(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:  # of a shared cache, in which another user has written
        logger.warning("%s cannot be read (%s): made anew", path, error.strerror)
        return None
    except DamagedFileError:
        kept = None
    if isinstance(kept, dict) and "content" in kept and kept.get("checksum") == json_fingerprint(kept["content"]):
        return kept["content"]
    logger.warning("%s is damaged or was not written by this version of semalign: made anew", path)
    return None


def file_sha256(path: Path | str) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def json_fingerprint(content: Any) -> str:
    """Return a short hash of JSON-serialisable content, which does not depend on the order of keys."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
