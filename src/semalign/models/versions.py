"""The versions of what computes states and answers; nothing here loads PyTorch."""

from functools import cache
from importlib.metadata import PackageNotFoundError, version

STATE_VERSION = 2
"""Raised when a change of this code changes identities, states, steps of training or answers."""
PACKAGES = ("torch", "transformers", "tokenizers", "peft")


@cache
def package_version(package: str) -> str | None:
    """Return the version of an installed package, None if it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None
