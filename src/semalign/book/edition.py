"""Which edition of the book this is: the version of the library, and the commit and its date.

The commit stands in the footer of every page. A new one is written into pages that are there, so that Sphinx need not
make them again.
"""

import re
import subprocess
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from semalign.files import atomic_path

COMMIT = re.compile(r'(?<=<span class="commit">).*?(?=</span>)')


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


def commit_text(found: Mapping[str, str]) -> str:
    """Return what the footer says of the commit of an :func:`edition`; nothing where there is none."""
    return f" · commit {found['commit']}, {found['date']}" if "commit" in found else ""


def name_commit(folder: Path, found: Mapping[str, str]) -> None:
    """Write the commit of an :func:`edition` into each page below a folder whose footer names another."""
    for path in folder.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        named = COMMIT.sub(commit_text(found), text)
        if named != text:
            with atomic_path(path) as temporary:
                temporary.write_text(named, encoding="utf-8")


def _git(root: Path, *arguments: str) -> str:
    try:
        command = ["git", "-C", str(root), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
