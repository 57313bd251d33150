"""Measure what a transfer on one task does to the other tasks: response NLL on their held-out rows, before and after.

Each method is trained on each task of a profile, as `semalign compare` trains it, and the adapted student is measured
on the held-out rows of all tasks. Each training writes a run record to ``data/results/side-effects``, from which the
book makes a matrix. A record that is there is kept: delete it to make it again.

    python benchmarks/side_effects.py --profile micro-sibling --methods semalign,cross-entropy,sft
"""

import argparse
from pathlib import Path
from typing import Any

from semalign.experiments.cells import Cell, entries_of
from semalign.experiments.inputs import held_out_rows, source_once, training_rows
from semalign.experiments.profiles import Profile, load_profile
from semalign.methods.runner import run_method
from semalign.models.architecture import Architecture
from semalign.paths import results_dir
from semalign.results.records import write_record
from semalign.training.finetuning import row_nll


def nll_of_tasks(profile: Profile, model: Any) -> dict[str, list[float]]:
    """Return the response NLL of each held-out row of each task, in nats a token."""
    found, outline = {}, source_once(profile.student).outline
    for task in profile.tasks:
        examples = outline.encode(held_out_rows(profile, task)[0])
        sums = row_nll(Architecture(model), examples)
        found[task] = [nll / len(example.positions()) for nll, example in zip(sums, examples, strict=True)]
    return found


def measure(profile: Profile, cell: Cell, before: dict[str, list[float]]) -> dict[str, Any]:
    """Return the record of one training, whose value is the mean rise of the other tasks' NLL."""
    method, settings = profile.method_of(cell.method), profile.settings_for(cell.task, cell.method)
    models = source_once(profile.teacher), source_once(profile.student)
    rows, seed = training_rows(profile, cell.task), {"seed": cell.seed}
    result = run_method(method, *models, rows, task=cell.task, **{**settings, **seed})
    after = nll_of_tasks(profile, result.model.model)
    rises = {task: [b - a for a, b in zip(before[task], after[task], strict=True)] for task in after}
    others = [sum(rise) / len(rise) for task, rise in rises.items() if task != cell.task]
    return {
        **result.record,
        "method": cell.method,
        "metric": "rise_of_other_tasks_nll",
        "value": sum(others) / len(others),
        "n": len(rows),
        "losses": [],
        "configuration": {"method": method.name, **result.record["configuration"], "held_out": profile.held_out},
        "details": {
            **{key: result.record["details"][key] for key in ("steps", "weight_change")},
            "rises": {task: [round(rise, 6) for rise in rows] for task, rows in rises.items()},
            "before_nll": {task: sum(rows) / len(rows) for task, rows in before.items()},
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", default="micro-sibling")
    parser.add_argument("--methods", default="all", help="all, or names of methods and variants, separated by commas")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=results_dir() / "side-effects")
    options = parser.parse_args()
    profile = load_profile(options.profile)
    before = nll_of_tasks(profile, source_once(profile.student).load().model)
    for entry in entries_of(profile, options.methods.split(",")):
        for task in profile.tasks:
            cell = Cell(entry, profile.teacher, profile.student, task, options.seed)
            path = options.out / cell.file_name
            if not path.is_file():
                record = measure(profile, cell, before)
                write_record(path, record)
                print(f"{path.stem}: other tasks {record['value']:+.4f} nats, {record['seconds']:.0f} s", flush=True)


if __name__ == "__main__":
    main()
