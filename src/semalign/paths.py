"""The one place that knows where things are: project folders, the cache, and data roots."""

import os
from pathlib import Path


def project_root() -> Path:
    """Return the checkout that holds ``data/``, ``notebooks/`` and ``book/``.

    ``SEMALIGN_ROOT`` wins; else the nearest parent of the working directory, then of this file, that has
    both ``pyproject.toml`` and ``src/semalign``; else the working directory.
    """
    if root := os.environ.get("SEMALIGN_ROOT"):
        return Path(root).expanduser().resolve()
    for start in (Path.cwd(), Path(__file__).resolve()):
        for folder in (start, *start.parents):
            if (folder / "pyproject.toml").is_file() and (folder / "src" / "semalign").is_dir():
                return folder
    return Path.cwd()


def data_dir() -> Path:
    """Return the project's ``data/`` folder."""
    return project_root() / "data"


def models_dir() -> Path:
    """Return the folder of the models that the project ships."""
    return data_dir() / "models"


def benchmarks_dir() -> Path:
    """Return the data root that the project ships: ``<id>/<config>/<split>.jsonl``."""
    return data_dir() / "benchmarks"


def results_dir() -> Path:
    """Return the folder of committed run records and figure data."""
    return data_dir() / "results"


def cache_dir() -> Path:
    """Return the folder for what can be made or fetched again: ``SEMALIGN_CACHE`` or ``~/.cache/semalign``."""
    return Path(os.environ.get("SEMALIGN_CACHE", "~/.cache/semalign")).expanduser()


def data_roots() -> list[Path]:
    """Return the folders searched for benchmark data: those of ``SEMALIGN_DATA``, the project's, what was fetched."""
    given = [Path(part).expanduser() for part in os.environ.get("SEMALIGN_DATA", "").split(os.pathsep) if part]
    return [*given, benchmarks_dir(), cache_dir() / "data"]


def use_data_root(folder: Path | None) -> Path | None:
    """Search a folder for data before all others, in this process and those that it starts.

    Raises:
        NotADirectoryError: if there is no such folder.
    """
    if folder is not None:
        if not folder.is_dir():
            raise NotADirectoryError(f"the data root {folder} is no folder")
        others = os.environ.get("SEMALIGN_DATA")
        os.environ["SEMALIGN_DATA"] = os.pathsep.join([str(folder.resolve()), *([others] if others else [])])
    return folder
