"""Measure time and peak memory of a transfer by each method, with the same models, task and rows and an empty cache.

Each method runs in a separate process, so that its peak memory does not include the others. Each writes a run record
to ``data/results/PROFILE-cost``, from which the book draws scores over costs. ``details.memory_before_bytes`` of a
record is the memory of the process with both models loaded, before the transfer. Times hold for this machine only,
and only if it is otherwise idle.

    python benchmarks/method_cost.py --profile micro-tuned --methods semalign,sft
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
from semalign.results.records import read_record, write_record
from semalign.results.surroundings import peak_memory


def measure(profile: Profile, entry: str, task: str, threads: int) -> dict:
    """Return the record of one transfer, whose value is its time in seconds."""
    teacher, student = load_model(profile.teacher), load_model(profile.student)
    rows, method = benchmarks.rows(task, "train", profile.tasks[task].train_size), profile.method_of(entry)
    before = peak_memory()
    result = run_method(method, teacher, student, rows, task=task, **{**profile.settings_for(task, entry), "seed": 0})
    return {
        **result.record,
        "method": entry,
        "metric": "seconds",
        "value": result.record["seconds"],
        "losses": [],
        "configuration": {"method": method.name, **result.record["configuration"], "threads": threads},
        "details": {"memory_before_bytes": before, "cpus": os.cpu_count()},
    }


def in_child(options: argparse.Namespace, entry: str, out: Path) -> None:
    """Measure a method in a separate process with an empty cache."""
    command = [sys.executable, __file__, "--child", entry, "--profile", options.profile, "--task", options.task]
    command += ["--threads", str(options.threads), "--out", str(out)]
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "SEMALIGN_CACHE": cache, "OMP_NUM_THREADS": str(options.threads)}
        subprocess.run(command, check=True, env=environment)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", default="micro-tuned")
    parser.add_argument("--methods", default="all", help="all, or names of methods and variants, separated by commas")
    parser.add_argument("--task", default="micro_gsm8k")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, help="folder for the records; default data/results/PROFILE-cost")
    parser.add_argument("--child", metavar="ENTRY", help=argparse.SUPPRESS)
    options = parser.parse_args()
    profile = load_profile(options.profile)
    out = options.out or results_dir() / f"{profile.name}-cost"
    if options.child:
        torch.set_num_threads(options.threads)
        write_record(out / f"{options.child}.json", measure(profile, options.child, options.task, options.threads))
        return
    failed = []
    for entry in entries_of(profile, options.methods.split(",")):
        try:
            in_child(options, entry, out)
        except subprocess.CalledProcessError:
            failed.append(entry)
            continue
        record = read_record(out / f"{entry}.json")
        held = record["details"]["memory_before_bytes"]
        print(
            f"{entry:20s} {record['seconds']:7.1f} s, peak {record['peak_memory_bytes'] / 2**20:6.0f} MiB, "
            f"{held / 2**20:6.0f} MiB before the transfer",
            flush=True,
        )
    if failed:
        sys.exit(f"no record for {json.dumps(failed)}: see above")


if __name__ == "__main__":
    main()
