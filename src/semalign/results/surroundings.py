"""The process that a record was made in: versions, commit, peak memory and command line."""

import resource
import shlex
import subprocess
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from semalign.paths import code_checkout, project_root

PACKAGES = (
    "semalign",
    "torch",
    "transformers",
    "peft",
    "datasets",
    "lm-eval",
    "captum",
    "numpy",
    "safetensors",
)


@cache
def package_version(package: str) -> str | None:
    """Return the version of an installed package, None if it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that results depend on."""
    installed = {package: number for package in PACKAGES if (number := package_version(package))}
    return {"python": sys.version.split()[0], **installed}


def commit() -> str | None:
    """Return the commit of the checkout that the code runs from; None for an installed package or without git."""
    if (checkout := code_checkout()) is None:
        return None
    git = ["git", "-C", str(checkout), "rev-parse", "--short=12", "HEAD"]
    try:
        return subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def peak_memory() -> int:
    """Return the peak memory of this process in bytes: GPU memory if a GPU is in use, else resident memory."""
    if (cuda := used_gpu()) is not None:
        return int(cuda.max_memory_allocated())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def command() -> str:
    """Return the command line of this process, with paths relative to the checkout and the home folder as ``~``.

    Bytes that are no text are escaped.
    """
    program = Path(sys.argv[0]).name
    if program.startswith("ipykernel"):
        return "notebook"
    arguments = (shlex.quote(arg.replace(f"{project_root()}/", "")) for arg in sys.argv[1:])
    line = " ".join([program, *(arg.replace(f"{Path.home()}/", "~/") for arg in arguments)])
    return line.encode("utf-8", "backslashreplace").decode()


def used_gpu() -> Any:
    """Return ``torch.cuda`` if this process has used a GPU, else None; PyTorch is not loaded for this question."""
    torch = sys.modules.get("torch")
    return torch.cuda if torch is not None and torch.cuda.is_initialized() else None
