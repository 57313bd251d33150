"""Attribute the teacher of a profile by every method, at every granularity, on the training rows of every task.

The record has the score of every layer, from which the book tells which pair of layers each choice leads to. Some
minutes for the micro teacher on one core, most of them for integrated gradients. Scores are kept in the cache
folder, so that a stopped run goes on; the record is replaced.

    python benchmarks/attribution_choices.py --profile ablations
"""

import argparse
import time
from itertools import product
from pathlib import Path
from typing import Any, get_args

from semalign.experiments.inputs import fingerprint_of, source_once, training_rows
from semalign.experiments.profiles import Profile, load_profile
from semalign.files import json_fingerprint
from semalign.models.pair import Pair
from semalign.paths import results_dir
from semalign.results.records import make_record, write_record
from semalign.settings import InterfaceOrHeads, TransferSettings
from semalign.targets.attribution import AGGREGATIONS
from semalign.targets.attribution_methods import METHODS
from semalign.targets.choice import attribution


def measure(profile: Profile) -> dict[str, Any]:
    """Return the record, whose value is the share of choices that find the layer of the paper's settings."""
    started, rows_of = time.perf_counter(), {task: training_rows(profile, task) for task in profile.tasks}
    pair, lines = Pair(source_once(profile.teacher), source_once(profile.student)), []
    for task, method, interface in product(profile.tasks, METHODS, get_args(InterfaceOrHeads)):
        for aggregation in AGGREGATIONS:
            how: dict[str, Any] = {"attribution_method": method, "attribution_interface": interface}
            scores = attribution(pair, TransferSettings(attribution=aggregation, **how), rows_of[task])
            how = {"task": task, "method": method, "aggregation": aggregation, "interface": interface}
            lines.append({**how, "scores": scores})
            print(*how.values(), 1 + scores.index(max(scores)), flush=True)
    layers = [line["scores"].index(max(line["scores"])) for line in lines]
    paper = {line["task"]: layer for line, layer in zip(lines, layers, strict=True) if _is_paper(line)}
    n = TransferSettings().attribution_examples
    return make_record(
        method="attribution",
        teacher=profile.teacher,
        student=profile.student,
        task=", ".join(profile.tasks),
        seed=0,
        metric="share of choices that find the layer of the paper's settings",
        value=sum(layer == paper[line["task"]] for line, layer in zip(lines, layers, strict=True)) / len(layers),
        n=len(layers),
        seconds=time.perf_counter() - started,
        configuration={"examples": n},
        fingerprints={
            "teacher": fingerprint_of(profile.teacher),
            "student": fingerprint_of(profile.student),
            "data": json_fingerprint([rows[:n] for rows in rows_of.values()]),
        },
        details={"scores": lines},
    )


def _is_paper(line: dict[str, Any]) -> bool:
    own = TransferSettings()
    chosen = own.attribution, own.attribution_method, own.interface
    return (line["aggregation"], line["method"], line["interface"]) == chosen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", default="ablations")
    parser.add_argument("--out", type=Path, help="default: attribution.json beside the other analyses of the profile")
    options = parser.parse_args()
    out = options.out or results_dir() / f"{options.profile}-analysis" / "attribution.json"
    write_record(out, measure(load_profile(options.profile)))


if __name__ == "__main__":
    main()
