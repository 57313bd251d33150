"""Measure what a transfer on one task does to the other tasks: their response NLL and their scores, before and after.

Each method is trained on each task of a profile, as `semalign compare` trains it. The adapted student is measured on
the held-out rows of all tasks and scored on their test items. Each training writes a run record to
``data/results/side-effects``, from which the book makes matrices. A record that is there is kept: delete it to make it
again. Several processes that are started with the same options share the records.

    python benchmarks/side_effects.py --profile micro-sibling
"""

import argparse
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from semalign.evaluation.run import evaluate
from semalign.experiments.cells import Cell, entries_of
from semalign.experiments.inputs import held_out_rows, source_once, training_rows
from semalign.experiments.profiles import Profile, load_profile
from semalign.experiments.staleness import MISSING
from semalign.experiments.work_folder import make, share_out
from semalign.methods.runner import run_method
from semalign.models.architecture import Architecture
from semalign.models.loading import LanguageModel
from semalign.paths import results_dir
from semalign.training.finetuning import row_nll

T = TypeVar("T", int, float)
Measured = tuple[dict[str, list[float]], dict[str, list[int]]]


def nll_of_tasks(profile: Profile, model: Any) -> dict[str, list[float]]:
    """Return the response NLL of each held-out row of each task, in nats a token."""
    found, outline = {}, source_once(profile.student).outline
    for task in profile.tasks:
        examples = outline.encode(held_out_rows(profile, task)[0])
        sums = row_nll(Architecture(model), examples)
        found[task] = [nll / len(example.positions()) for nll, example in zip(sums, examples, strict=True)]
    return found


def answers_of_tasks(profile: Profile, model: LanguageModel) -> dict[str, list[int]]:
    """Return for each test item of each task whether the answer is right, as 0 or 1."""
    settings = profile.evaluation
    given: dict[str, Any] = {"limit": settings.limit, "batch_size": settings.batch_size, "chat": settings.chat}
    scored = {task: evaluate(model, task, **given).samples for task in profile.tasks}
    return {task: [int(sample["correct"]) for sample in samples] for task, samples in scored.items()}


def measured(profile: Profile, model: LanguageModel) -> Measured:
    """Return losses of held-out rows and answers of test items, by task."""
    return nll_of_tasks(profile, model.model), answers_of_tasks(profile, model)


def measure(profile: Profile, cell: Cell, before: Callable[[], Measured]) -> dict[str, Any]:
    """Return the record of one training, whose value is the mean rise of the other tasks' NLL."""
    method, settings = profile.method_of(cell.method), profile.settings_for(cell.task, cell.method)
    models = source_once(profile.teacher), source_once(profile.student)
    rows, seed = training_rows(profile, cell.task), {"seed": cell.seed}
    losses, answers = before()
    result = run_method(method, *models, rows, task=cell.task, **{**settings, **seed})
    losses_after, answers_after = measured(profile, result.model)
    rises = changes(losses, losses_after)
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
            "before_nll": {task: sum(rows) / len(rows) for task, rows in losses.items()},
            "gains": changes(answers, answers_after),
            "before_score": {task: 100 * sum(right) / len(right) for task, right in answers.items()},
        },
    }


def changes(before: dict[str, list[T]], after: dict[str, list[T]]) -> dict[str, list[T]]:
    """Return after minus before, by task and row."""
    return {task: [b - a for a, b in zip(before[task], rows, strict=True)] for task, rows in after.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", default="micro-sibling")
    parser.add_argument("--methods", default="all", help="all, or names of methods and variants, separated by commas")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=results_dir() / "side-effects")
    options = parser.parse_args()
    profile = load_profile(options.profile)
    before = cache(lambda: measured(profile, source_once(profile.student).load()))
    names = entries_of(profile, options.methods.split(","))
    wanted = [
        Cell(name, profile.teacher, profile.student, task, options.seed) for name in names for task in profile.tasks
    ]

    def attempt(cell: Cell, wait: bool) -> None:
        path = options.out / cell.file_name
        make(path, lambda: None if path.is_file() else MISSING, lambda _: measure(profile, cell, before), wait)

    share_out(wanted, attempt, "trainings")


if __name__ == "__main__":
    main()
