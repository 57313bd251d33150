"""Run the canonical solutions of HumanEval and MBPP, and hostile programs, in the sandbox.

This needs a folder with the data in the layout of the hub. The exit code is zero if all canonical solutions pass and
all hostile programs are contained.

    SEMALIGN_DATA=/path/to/data python benchmarks/sandbox_check.py
    SEMALIGN_DATA=/path/to/data SEMALIGN_SANDBOX=limits python benchmarks/sandbox_check.py
"""

import argparse
import os
import sys
import time

from semalign.data.sources import dataset_rows
from semalign.evaluation.code import humaneval_case, mbpp_case
from semalign.paths import project_root
from semalign.sandbox import run_many, sandbox_mode
from semalign.sandbox.isolation import mechanism

sys.path.insert(0, str(project_root() / "tests"))

from helpers import hostile_programs

SETS = {
    "HumanEval": ("openai/openai_humaneval", None, humaneval_case, "canonical_solution"),
    "MBPP": ("google-research-datasets/mbpp", "full", mbpp_case, "code"),
}


def check_canonical(name: str, workers: int) -> bool:
    """Print how many canonical solutions of a benchmark's test split pass, and those that fail."""
    dataset, config, case, solution = SETS[name]
    rows = dataset_rows(dataset, config, "test")
    start = time.perf_counter()
    outcomes = run_many([case(row, row[solution]) for row in rows], workers=workers)
    seconds = time.perf_counter() - start
    passed = sum(outcome.passed for outcome in outcomes)
    print(f"{name}: {passed}/{len(rows)} canonical solutions pass, {seconds:.1f} s with {workers} at a time")
    for row, outcome in zip(rows, outcomes, strict=True):
        if not outcome.passed:
            print(f"  {row['task_id']}: {outcome.reason}, {outcome.detail}")
    return passed == len(rows)


def check_hostile(workers: int) -> bool:
    """Print the outcome of each hostile or broken program."""
    os.environ["SEMALIGN_SECRET"] = "42"
    cases = [(case.program, case.tests) for case in hostile_programs.ALL]
    outcomes = run_many(cases, timeout=4, cpu_seconds=1, workers=workers)
    good = True
    print(f"{len(cases)} hostile or broken programs")
    for case, outcome in zip(hostile_programs.ALL, outcomes, strict=True):
        held = hostile_programs.held(case, outcome, sandbox_mode())
        good = good and held
        print(f"  {'held' if held else 'LOST'}  {case.name:44s} {outcome.reason:10s} {outcome.detail[:60]!r}")
    return good


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=2)
    workers = parser.parse_args().workers
    print(f"sandbox: {sandbox_mode()}, {mechanism(sandbox_mode())}")
    results = [*(check_canonical(name, workers) for name in SETS), check_hostile(workers)]
    sys.exit(not all(results))


if __name__ == "__main__":
    main()
