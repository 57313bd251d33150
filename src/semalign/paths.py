"""The locations of everything on disk: project folders, the cache, model folders and data roots.

An environment variable that is empty counts as one that is not set.
"""

import os
from pathlib import Path

# Where libraries that this one uses keep their own files, unless told otherwise: below the home directory.
LIBRARY_FOLDERS = {
    "MPLCONFIGDIR": "matplotlib",
    "IPYTHONDIR": "ipython",
    "TRITON_CACHE_DIR": "triton",
    "CUDA_CACHE_PATH": "cuda",
    "VLLM_CACHE_ROOT": "vllm/cache",
    "VLLM_CONFIG_ROOT": "vllm/config",
    "FLASHINFER_WORKSPACE_BASE": "flashinfer",
}
PACKED = Path(__file__).with_name("shipped")  # models and benchmarks, put there by setup.py; absent in a checkout


def project_root() -> Path:
    """Return the checkout that holds ``data/``, ``notebooks/`` and ``book/``.

    The first of these that exists: the variable ``SEMALIGN_ROOT``; the nearest checkout at or above the working
    directory; the checkout that this code runs from; the working directory.
    """
    if root := os.environ.get("SEMALIGN_ROOT"):
        return Path(root).expanduser().resolve()
    here = Path.cwd()
    return next(filter(_is_checkout, (here, *here.parents)), None) or code_checkout() or here


def code_checkout() -> Path | None:
    """Return the checkout that this code runs from; None for an installed package."""
    root = Path(__file__).resolve().parents[2]
    return root if _is_checkout(root) else None


def _is_checkout(folder: Path) -> bool:
    return (folder / "pyproject.toml").is_file() and (folder / "src" / "semalign").is_dir()


def data_dir() -> Path:
    """Return the project's ``data/`` folder."""
    return project_root() / "data"


def models_dir() -> Path:
    """Return the checkout's folder of models, to which ``semalign pretrain`` writes."""
    return data_dir() / "models"


def benchmarks_dir() -> Path:
    """Return the checkout's data root: ``<id>/<config>/<split>.jsonl``."""
    return data_dir() / "benchmarks"


def results_dir() -> Path:
    """Return the folder of committed run records and figure data."""
    return data_dir() / "results"


def cache_dir() -> Path:
    """Return the folder for files that can be made or downloaded again: ``SEMALIGN_CACHE`` or ``~/.cache/semalign``."""
    return Path(os.environ.get("SEMALIGN_CACHE") or "~/.cache/semalign").expanduser()


def spare_home() -> None:
    """Have other libraries keep their files in the cache where nobody can write the home directory, as on many nodes.

    This holds for this process and those that it starts; a variable that is set stays. Without ``SEMALIGN_CACHE`` the
    cache is in the home directory too, and nothing changes.
    """
    if os.environ.get("SEMALIGN_CACHE") and not os.access(os.path.expanduser("~"), os.W_OK):
        folder = cache_dir() / "libraries"
        folder.mkdir(parents=True, exist_ok=True)
        for variable, name in LIBRARY_FOLDERS.items():
            os.environ.setdefault(variable, str(folder / name))


def model_roots() -> list[Path]:
    """Return the folders searched for a model by name: of the checkout, the installed package and the cache."""
    return [models_dir(), *_packed("models"), cache_dir() / "models"]


def data_roots() -> list[Path]:
    """Return the folders searched for benchmark data.

    The order is: the folders of ``SEMALIGN_DATA``, the checkout, the installed package, the cache.
    """
    given = [Path(part).expanduser() for part in os.environ.get("SEMALIGN_DATA", "").split(os.pathsep) if part]
    return [*given, benchmarks_dir(), *_packed("benchmarks"), cache_dir() / "data"]


def _packed(name: str) -> list[Path]:
    return [folder for folder in [PACKED / name] if folder.is_dir()]


def use_data_root(folder: Path | None) -> Path | None:
    """Search a folder for data before all others, in this process and the processes that it starts; return it.

    Raises:
        NotADirectoryError: if the folder does not exist.
    """
    if folder is not None:
        if not folder.is_dir():
            raise NotADirectoryError(f"the data root {folder} is not a folder")
        others = os.environ.get("SEMALIGN_DATA")
        os.environ["SEMALIGN_DATA"] = os.pathsep.join([str(folder.resolve()), *([others] if others else [])])
    return folder
