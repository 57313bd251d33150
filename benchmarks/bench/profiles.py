"""Where the time of the three largest costs goes, by PyTorch's profiler: the basis, a transfer, generation.

Two runs, each of the code that lies first on the path:

git worktree add /tmp/before COMMIT
cp src/semalign/book/tables/speed_reasons.py /tmp/before/src/semalign/book/tables/  # counts the operations of a step
PYTHONPATH=/tmp/before/src:benchmarks python -m bench.profiles before
PYTHONPATH=src:benchmarks python -m bench.profiles after

Each run replaces its rows of data/results/bench/profiles.csv.
"""

import argparse
import importlib
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch.profiler import ProfilerActivity, profile

import semalign
from bench.race import STEPS

COSTS = [  # module, step, number of its size
    ("basis", "basis", 2),
    ("transfer", "transfer_middle", 1),
    ("evaluation", "evaluation", 1),
]
SHOWN = 5  # operations of each cost
BETWEEN = "between operations"
PATH = Path(__file__).resolve().parents[2] / "data" / "results" / "bench" / "profiles.csv"


def profiled(run: Callable[[], Any]) -> list[tuple[str, float, int]]:
    """Return the operations of the second run with their own seconds and calls, the slowest first, then the rest."""
    run()
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        start = time.perf_counter()
        run()
        whole = time.perf_counter() - start
    found = sorted(((e.key, e.self_cpu_time_total / 1e6, e.count) for e in seen.key_averages()), key=lambda e: -e[1])
    shown, rest = found[:SHOWN], found[SHOWN:]
    own = sum(seconds for _, seconds, _ in found)
    return [
        *shown,
        ("other operations", sum(seconds for _, seconds, _ in rest), sum(calls for *_, calls in rest)),
        (BETWEEN, max(whole - own, 0.0), 0),
    ]


def rows(label: str, module: str, name: str, number: int) -> list[dict[str, Any]]:
    """Return a row for each operation of a cost, on one thread."""
    importlib.import_module(f"bench.steps.{module}")
    step = STEPS[name]
    torch.manual_seed(0)
    race = step.build(**step.sizes[number])
    torch.set_num_threads(1)
    size = ", ".join(f"{key} {value}" for key, value in step.sizes[number].items())
    shared = {"step": step.title, "size": size, "code": label, "commit": commit()}
    return [shared | {"operation": o, "seconds": round(s, 4), "calls": c} for o, s, c in profiled(race.ours)]


def commit() -> str:
    """Return the commit of the code that is profiled."""
    command = ["git", "-C", str(Path(semalign.__file__).parent), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("label", choices=["before", "after"], help="name of the code that is profiled")
    label = parser.parse_args().label
    found = pd.DataFrame([row for cost in COSTS for row in rows(label, *cost)])
    if PATH.exists():
        kept = pd.read_csv(PATH)
        found = pd.concat([kept[kept["code"] != label], found])
    found.sort_values("code", ascending=False, kind="stable").to_csv(PATH, index=False)
    print(found.to_string(index=False))


if __name__ == "__main__":
    main()
