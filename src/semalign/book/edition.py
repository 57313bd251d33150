"""Which edition of the book this is: the version of the library, and the commit and its date."""

import subprocess
from importlib.metadata import version
from pathlib import Path


def edition(root: Path) -> dict[str, str]:
    """Return ``version``, and where the folder is the top of a git checkout, ``commit`` and ``date``.

    The date is that of the commit, so that two builds of the same commit are the same.
    """
    found = {"version": version("semalign")}
    top = _git(root, "rev-parse", "--show-toplevel")
    if not top or Path(top).resolve() != root.resolve():  # a checkout of something else may lie around an unpacked one
        return found
    commit, _, date = _git(root, "log", "-1", "--format=%h %cs", "--abbrev=12").partition(" ")
    return {**found, "commit": commit, "date": date} if date else found


def _git(root: Path, *arguments: str) -> str:
    try:
        command = ["git", "-C", str(root), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
