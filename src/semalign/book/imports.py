"""Which modules of the library a notebook can run: all but the command line and the modules that make pages only.

Much of ``semalign.book`` makes pages only, and no other package imports it. Its modules import each other by plain
statements, so a notebook depends on those that it imports, those that these import, and so on.
"""

import ast
from collections.abc import Collection, Iterable
from functools import lru_cache
from pathlib import Path

ABOVE = ("book", "cli")  # the packages that no other package imports
RUNNER = Path("book", "notebooks.py")  # it writes the executed form


def reached(source: Path, library: Path, files: Iterable[Path]) -> list[Path]:
    """Return those of the library's files on which the executed form of a notebook can depend.

    Files that are not Python count always, and so do all files where the notebook itself cannot be parsed.

    Args:
        source: the notebook, a Jupytext file in the percent format.
        library: folder of the package.
        files: the library's files.
    """
    known = list(files)
    try:
        imported = _closure([source, library / RUNNER], library, {*known})
    except SyntaxError:
        return known
    return [path for path in known if path.suffix != ".py" or path in imported or not _above(path, library)]


def _above(path: Path, library: Path) -> bool:
    return path.relative_to(library).parts[0] in ABOVE


def _closure(starts: Iterable[Path], library: Path, known: Collection[Path]) -> set[Path]:
    """Return the modules, of those that are known, that some files import, directly or through each other."""
    found, left = set[Path](), [path for path in starts if path.is_file()]
    while left:
        path = left.pop()
        if path not in found:
            found.add(path)
            names = _names(path.read_text(encoding="utf-8"))
            left += [place for name in names for place in _places(name, library) if place in known]
    return found


@lru_cache(maxsize=1024)
def _names(text: str) -> list[str]:
    """Return the full name of each module that a Python text may import, wherever in it the statement is."""
    found: list[str] = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


@lru_cache(maxsize=8192)
def _places(name: str, library: Path) -> list[Path]:
    """Return where the files of a module and of the packages around it may be; the last part may be no module."""
    package, *parts = name.split(".")
    folders = [library.joinpath(*parts[:end]) for end in range(len(parts) + 1)] if package == library.name else []
    return [place for folder in folders for place in (folder / "__init__.py", folder.with_suffix(".py"))]
