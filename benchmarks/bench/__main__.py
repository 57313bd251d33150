"""Time every step beside its peer, each step in a process of its own; then compare with the records, or write them.

A process that has run another step has a heap with holes, in which freed memory stays: peaks would depend on the order.
The processes are forks of this one, which imports the libraries of all steps once and computes nothing.

python -m bench                       # all steps: the table; fails where a ratio fell by a third
python -m bench --run 1 basis gram    # some steps; also writes data/results/bench/STEP--1.json
"""

import argparse
import os
import sys
from collections.abc import Sequence
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from bench.race import all_steps
from bench.report import report

HERE = Path(__file__).parent
PYTEST = ("-q", "-p", "no:cacheprovider", "-o", "pythonpath=benchmarks", "--jaxtyping-packages=")


def timed(name: str, times: Path) -> None:
    """Time a step; a step without its peer or its data is skipped, and there are no times of it."""
    chosen = ("-k", f"[{name}-", f"--benchmark-json={times}", "--benchmark-columns=median,iqr,rounds")
    process = get_context("fork").Process(target=_tested, args=([*PYTEST, str(HERE), *chosen],))
    process.start()
    process.join()
    if process.exitcode:
        sys.exit(f"{name} failed: what it printed stands above")


def _tested(arguments: Sequence[str]) -> None:
    os.chdir(HERE.parents[1])
    sys.exit(pytest.main([*arguments]))


def main() -> None:
    os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")  # to ask for a GPU otherwise forbids forks to use it
    names = [step.name for step in all_steps()]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("steps", nargs="*", metavar="STEP", help=f"by default all: {', '.join(names)}")
    parser.add_argument("--run", type=int, help="number of the run, to write its records")
    options = parser.parse_args()
    if unknown := set(options.steps) - set(names):
        parser.error(f"no step {', '.join(sorted(unknown))}")
    with TemporaryDirectory() as folder:
        files = [Path(folder) / f"{name}.json" for name in options.steps or names]
        for path in files:
            timed(path.stem, path)
        problems = report([path for path in files if path.is_file()], options.run)
    if problems:
        sys.exit("\n".join(["slower than on record:", *problems]))


if __name__ == "__main__":
    main()
