"""Seconds and peak memory of one transfer by each method: same pair, same task, same rows, an empty cache.

Each method runs in a process of its own, so that peak memory is its own. Every one gives a run record in
``data/results/PROFILE-cost``, which the book draws score against cost from. Of the memory of the process, the record
keeps what it held before the transfer began, models loaded, in ``details.memory_before_bytes``. Times are of this
machine, and mean little while others use it.

    python benchmarks/method_cost.py --profile micro --methods semalign,sft
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

from semalign.data import tasks as benchmarks
from semalign.experiments.cells import entries_of
from semalign.experiments.profiles import Profile, load_profile
from semalign.methods.runner import run_method
from semalign.models.loading import load_model
from semalign.paths import results_dir
from semalign.results.records import peak_memory, read_record, write_record


def measure(profile: Profile, row: str, task: str, threads: int) -> dict:
    """Return the record of one transfer; its value is the seconds that it took."""
    teacher, student = load_model(profile.teacher), load_model(profile.student)
    rows, method = benchmarks.rows(task, "train", profile.tasks[task].train_size), profile.method_of(row)
    before = peak_memory()
    result = run_method(method, teacher, student, rows, task=task, **{**profile.settings_for(task, row), "seed": 0})
    return {
        **result.record,
        "method": row,
        "metric": "seconds",
        "value": result.record["seconds"],
        "losses": [],
        "configuration": {"method": method.name, **result.record["configuration"], "threads": threads},
        "details": {"memory_before_bytes": before, "cpus": os.cpu_count()},
    }


def in_child(options: argparse.Namespace, row: str, out: Path) -> None:
    """Measure a method in a process of its own, with a cache that holds nothing."""
    command = [sys.executable, __file__, "--child", row, "--profile", options.profile, "--task", options.task]
    command += ["--threads", str(options.threads), "--out", str(out)]
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "SEMALIGN_CACHE": cache, "OMP_NUM_THREADS": str(options.threads)}
        subprocess.run(command, check=True, env=environment)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", default="micro")
    parser.add_argument("--methods", default="all", help="all, or names with commas; variants of the profile too")
    parser.add_argument("--task", default="micro_gsm8k")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, help="folder for the records; default data/results/PROFILE-cost")
    parser.add_argument("--child", metavar="ROW", help=argparse.SUPPRESS)
    options = parser.parse_args()
    profile = load_profile(options.profile)
    out = options.out or results_dir() / f"{profile.name}-cost"
    if options.child:
        torch.set_num_threads(options.threads)
        write_record(out / f"{options.child}.json", measure(profile, options.child, options.task, options.threads))
        return
    failed = []
    for row in entries_of(profile, options.methods.split(",")):
        try:
            in_child(options, row, out)
        except subprocess.CalledProcessError:
            failed.append(row)
            continue
        record = read_record(out / f"{row}.json")
        held = record["details"]["memory_before_bytes"]
        print(
            f"{row:20s} {record['seconds']:7.1f} s, peak {record['peak_memory_bytes'] / 2**20:6.0f} MiB, "
            f"{held / 2**20:6.0f} MiB before the transfer",
            flush=True,
        )
    if failed:
        sys.exit(f"no record for {json.dumps(failed)}: see above")


if __name__ == "__main__":
    main()
