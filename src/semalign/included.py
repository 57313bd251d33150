"""A user's own files: those of the included folders, and the entry points of installed distributions.

Nothing here knows a registry: the files register their objects themselves (:mod:`semalign.registry`).
"""

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from semalign.errors import one_line
from semalign.files import file_sha256
from semalign.own_modules import import_file

if TYPE_CHECKING:
    from importlib.metadata import EntryPoints

VARIABLE = "SEMALIGN_INCLUDE"
_imported: set[Path] = set()  # also files that are being imported, whose code may look something up


def included_folders() -> list[Path]:
    """Return the folders of ``SEMALIGN_INCLUDE`` as absolute paths."""
    parts = os.environ.get(VARIABLE, "").split(os.pathsep)
    return [Path(part).expanduser().resolve() for part in parts if part]


def add_folder(folder: Path) -> None:
    """Add a folder to ``SEMALIGN_INCLUDE``, for this process and for those that it starts."""
    known = included_folders()
    if folder not in known:
        os.environ[VARIABLE] = os.pathsep.join(map(str, [*known, folder]))


def remove_folder(folder: Path) -> None:
    """Take a folder out of ``SEMALIGN_INCLUDE``; its files count as not imported."""
    os.environ[VARIABLE] = os.pathsep.join(str(known) for known in included_folders() if known != folder)
    _imported.difference_update(folder.glob("*.py"))


def included_code() -> list[str]:
    """Return a hash of each Python file in the included folders."""
    files = (path for folder in included_folders() for path in sorted(folder.glob("*.py")))
    return [file_sha256(path) for path in files]


def installed() -> "EntryPoints":
    """Return the entry points of installed distributions; the import of what finds them takes long."""
    from importlib.metadata import entry_points

    return entry_points(group="semalign")


def import_folder(folder: Path) -> None:
    """Import all Python files of a folder, each once in a process, in the order of their names.

    Raises:
        ImportError: for a file that cannot be imported; the message names the file, and ``name`` is its module. It can
            be imported once it is mended.
    """
    for path in sorted(folder.glob("*.py")):
        if path not in _imported:
            _import(path)


def modules_of(folder: Path) -> str:
    """Return how the names of a folder's modules begin; files of one name in two folders are different modules."""
    return f"semalign_included_{hashlib.sha256(str(folder).encode()).hexdigest()[:8]}_"


def _import(path: Path) -> None:
    name = f"{modules_of(path.parent)}{path.stem}"
    _imported.add(path)
    try:
        import_file(name, path)
    except BaseException as error:
        _imported.discard(path)
        if not isinstance(error, Exception | SystemExit):
            raise
        raise ImportError(f"{path} cannot be included: {one_line(error)}", name=name) from error
