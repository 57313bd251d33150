"""How long the book takes to build, from nothing and after small changes, and the steps of the checks in CI.

The sources that are changed for it are put back. On an idle machine, in a checkout without other changes:

python benchmarks/build_times.py --whole
.ci/run 2>&1 | tee ci.log; python benchmarks/build_times.py --checks ci.log
"""

import argparse
import itertools
import os
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from semalign.files import read_json, write_json
from semalign.paths import project_root, results_dir
from semalign.results.surroundings import commit

PATH = results_dir() / "speed" / "builds.json"
STEP = re.compile(r"^=== (.+) \(after (\d+) s\)$", re.MULTILINE)
PAGE, CHAPTER = "book/glossary.md", "notebooks/04_pairing.py"


def seconds(*command: str) -> float:
    """Return the seconds of a command in the checkout, which must succeed."""
    start = time.perf_counter()
    subprocess.run(command, cwd=project_root(), check=True)
    return round(time.perf_counter() - start, 1)


@contextmanager
def changed(name: str, line: str) -> Iterator[None]:
    """Add a line at the end of a source, and put the source back."""
    path = project_root() / name
    text = path.read_text(encoding="utf-8")
    path.write_text(f"{text}{line}", encoding="utf-8")
    try:
        yield
    finally:
        path.write_text(text, encoding="utf-8")


def builds(whole: bool) -> list[dict[str, Any]]:
    """Return the seconds of each build, one after the other.

    Args:
        whole: begin with a build from nothing, which runs all notebooks; otherwise the first one is not measured.
    """
    if whole:
        seconds("make", "clean")
    first = seconds("make", "book")
    found = [{"build": "nothing changed", "seconds": seconds("make", "book")}]
    with changed(PAGE, "\nOne more sentence.\n"):
        found.append({"build": "a page changed", "seconds": seconds("make", "book")})
    with changed(CHAPTER, "#\n# One more sentence.\n"):  # its last cell is text, and nothing is run
        found.append({"build": "the words of a chapter changed", "seconds": seconds("make", "book")})
    with changed(CHAPTER, "\n# %%\nassert True\n"):
        found.append({"build": "a chapter changed, with its notebook", "seconds": seconds("make", "book")})
    seconds("make", "book")
    seconds("rm", "-r", "book/_build")
    found.append({"build": "all pages, from finished notebooks", "seconds": seconds("make", "book")})
    return [*found, *([{"build": "after installation, with all notebooks", "seconds": first}] if whole else [])]


def checks(log: str) -> list[dict[str, Any]]:
    """Return the seconds of each step of ``.ci/run``, from what it printed."""
    steps = [(name, int(after)) for name, after in STEP.findall(log)]
    return [{"step": name, "seconds": end - start} for (name, start), (_, end) in itertools.pairwise(steps)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--whole", action="store_true", help="also a build from nothing, with all notebooks")
    parser.add_argument("--checks", type=Path, metavar="LOG", help="what .ci/run printed: only read this")
    options = parser.parse_args()
    found = read_json(PATH) if PATH.exists() else {}
    if options.checks is None:
        found |= {"commit": commit(), "cores": os.cpu_count(), "builds": builds(options.whole)}
    else:
        found |= {"checks": checks(options.checks.read_text(encoding="utf-8")), "checks_commit": commit()}
    write_json(PATH, found)


if __name__ == "__main__":
    main()
