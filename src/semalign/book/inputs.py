"""The inputs of a notebook below ``data/``, which its parameters cell declares and its run is restricted to.

The parameters cell has a line such as ``inputs = ["models", "results/{profile}"]``: files and folders below ``data/``,
where ``{profile}`` stands for the profile's name. A notebook is stale if one of its inputs has changed. A change of an
undeclared file would go unnoticed, so :func:`hold_to` makes it an error to read one.
"""

import ast
import hashlib
import os
import sys
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import jupytext
from nbformat import NotebookNode

from semalign.experiments.profiles import load_profile
from semalign.paths import data_dir


class UndeclaredInputError(RuntimeError):
    """A notebook opened a file below ``data/`` that is not one of its inputs."""


def source_notebook(source: Path) -> NotebookNode:
    """Return a notebook as its Jupytext source has it, to read and not to change: a text is parsed once."""
    return _parsed(source.read_text(encoding="utf-8"))


@lru_cache(maxsize=64)
def _parsed(text: str) -> NotebookNode:
    return jupytext.reads(text, fmt="py")


def declared_inputs(source: Path) -> list[str]:
    """Return the inputs that a notebook declares, without running it.

    Raises:
        ValueError: if it has no parameters cell, or if this cell does not assign a list of strings to ``inputs``.
    """
    cells = [cell for cell in source_notebook(source).cells if "parameters" in cell.metadata.get("tags", [])]
    if not cells:
        raise ValueError(f"{source} has no cell tagged 'parameters': begin one with '# %% tags=[\"parameters\"]'.")
    for node in ast.parse(cells[0].source).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "inputs":
            return _texts(node.value, source)
    raise ValueError(
        f"{source} declares no inputs: add inputs = [...], the files that it reads below data/, to its parameters cell."
    )


def _texts(node: ast.expr, source: Path) -> list[str]:
    """Return a list of strings from its source code."""
    if isinstance(node, ast.List) and all(isinstance(part, ast.Constant) for part in node.elts):
        return [str(name) for name in ast.literal_eval(node)]
    raise ValueError(f"{source}: inputs must be a literal list of strings.")


def book_profile() -> str:
    """Return the profile of the book, which the environment variable ``SEMALIGN_PROFILE`` sets."""
    return os.environ.get("SEMALIGN_PROFILE") or "micro"


def input_paths(inputs: Iterable[str], profile: str) -> dict[str, Path]:
    """Return the path of each input of a notebook, by its name below ``data/``."""
    called = load_profile(profile).name
    names = [name.format(profile=called) for name in inputs]
    return {name: data_dir() / name for name in names}


def input_hashes(source: Path, profile: str) -> dict[str, str]:
    """Return a hash of each input of a notebook, including inputs that do not exist."""
    paths = input_paths(declared_inputs(source), profile)
    return {f"data/{name}": hash_files(files_below(path), data_dir()) for name, path in paths.items()}


def files_below(place: Path) -> Iterator[Path]:
    """Yield the path itself if it is a file, or all files below a folder that are not hidden."""
    if place.is_file():
        yield place
    for path in sorted(place.rglob("*")):
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(place).parts):
            yield path


def hash_files(paths: Iterable[Path], base: Path) -> str:
    """Return a short hash of files: their paths relative to ``base``, their sizes and contents."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(f"{path.relative_to(base).as_posix()}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def refuse(path: Path, allowed: Iterable[Path], below: Path) -> None:
    """Raise an :class:`UndeclaredInputError` for a path in ``below`` that is not in one of the allowed paths."""
    if path.is_relative_to(below) and not any(path.is_relative_to(place) for place in allowed):
        raise UndeclaredInputError(
            f"data/{path.relative_to(below).as_posix()} is not an input of this notebook: add it, or its folder, to "
            "`inputs` in the parameters cell"
        )


def hold_to(inputs: Iterable[str], profile: str) -> None:
    """Make this process, the kernel of a notebook, refuse to open files below ``data/`` other than the inputs."""
    below, allowed = data_dir(), list(input_paths(inputs, profile).values())

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(arguments[0], str | os.PathLike):
            refuse(Path(os.path.abspath(arguments[0])), allowed, below)

    sys.addaudithook(hook)
