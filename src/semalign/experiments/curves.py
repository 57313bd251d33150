"""Curves: score, response NLL and layer cosine over the steps of one training, on validation rows.

The learning rate falls to zero over all steps of a training. A curve is measured along one training that is as long as
its last point, so a point before it is not the end of a shorter training: its rate has not fallen yet.
"""

import math
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import pandas as pd

from semalign.evaluation.run import evaluate
from semalign.experiments.cells import Cell, cells
from semalign.experiments.inputs import configuration, fingerprints, held_out_rows, source_once, training_rows
from semalign.experiments.preflight import check_runnable
from semalign.experiments.profiles import Profile, Variant
from semalign.experiments.selection_currency import ITEMS, SPLIT
from semalign.experiments.staleness import Asked, problem
from semalign.experiments.work_folder import make, share_out
from semalign.files import json_fingerprint
from semalign.methods.runner import run_method
from semalign.models.architecture import Architecture
from semalign.models.loading import LanguageModel
from semalign.paths import results_dir
from semalign.results.records import read_records
from semalign.training.finetuning import response_nll
from semalign.training.watching import Watch

STEPS = (0, 15, 25, 40, 80, 160, 240, 320, 400)
ONE_TRAINING = "one_layer"  # the schedule that is one training from the first step to the last
NO_CURVE = "{} does not train the student in one go, step by step: there is no curve of it"


def run(
    profile: Profile, names: Sequence[str], folder: Path | None = None, steps: Sequence[int] = STEPS
) -> pd.DataFrame:
    """Make the curves that are missing or stale, a record each, and return the table of all of them.

    Each entry is trained from the general teacher, with every seed of the profile, for the epochs that the last step
    needs. A curve that was stopped starts anew.

    Args:
        profile: the profile.
        names: methods and variants.
        folder: where records go; default ``data/results/PROFILE-curves``.
        steps: after how many steps to measure; 0 is the student as it was.

    Returns:
        The table; see :func:`table`.

    Raises:
        ValueError: for a method that does not train the student step by step, such as LaTen.
    """
    folder = folder or results_dir() / f"{profile.name}-curves"
    long = lengthened(profile, names, max(steps))
    wanted = [cell for cell in cells(long, names) if cell.teacher == profile.teacher]
    data = cache(lambda task: json_fingerprint(training_rows(long, task)))

    def asked(cell: Cell, record: dict[str, Any]) -> Asked:
        return fingerprints(cell, data, scored=False), {**configuration(long, cell, record), **_measured_as(steps)}

    check_runnable(profile, folder, dict.fromkeys(profile.tasks, True), SPLIT)

    def attempt(cell: Cell, wait: bool) -> None:
        path = folder / cell.file_name
        make(path, partial(problem, path, partial(asked, cell), "value"), lambda _: _record(long, cell, steps), wait)

    share_out(wanted, attempt, "curves")
    return table(folder)


def table(folder: Path) -> pd.DataFrame:
    """Return the points of all curves below a folder: ``method``, ``task``, ``seed``, ``step`` and the measurements."""
    records = read_records(folder)
    keys = ["method", "task", "seed"]
    lines = [{**line[keys], **point} for _, line in records.iterrows() for point in line["details"]["curve"]]
    return pd.DataFrame(lines)


def lengthened(profile: Profile, names: Sequence[str], steps: int) -> Profile:
    """Return a profile in which entries train for at least a number of steps, in whole epochs."""
    variants = dict(profile.variants)
    for name in names:
        own = profile.variants.get(name, Variant(method=None))
        changed = {
            task: {**own.settings_for(task), "epochs": _epochs(profile, name, task, steps)} for task in profile.tasks
        }
        variants[name] = Variant(method=profile.method_of(name).name, **changed)
    return profile.model_copy(update={"variants": variants})


def _epochs(profile: Profile, name: str, task: str, steps: int) -> int:
    settings: Any = profile.method_of(name).settings(**profile.settings_for(task, name))
    if not hasattr(settings, "epochs") or getattr(settings, "schedule", ONE_TRAINING) != ONE_TRAINING:
        raise ValueError(NO_CURVE.format(name))
    return math.ceil(steps / math.ceil(len(training_rows(profile, task)) / settings.batch_size))


def _measured_as(steps: Sequence[int]) -> dict[str, Any]:
    return {"split": SPLIT, "limit": ITEMS, "curve_steps": list(steps)}


def _record(profile: Profile, cell: Cell, steps: Sequence[int]) -> dict[str, Any]:
    """Return the record of a curve: that of the transfer, with the points in ``details.curve``."""
    student, (held_out, split) = source_once(cell.student), held_out_rows(profile, cell.task)
    tokenizer, examples = student.outline.tokenizer, student.outline.encode(held_out)
    chosen: dict[str, Any] = {"batch_size": profile.evaluation.batch_size, "chat": profile.evaluation.chat}

    def measure(model: Any) -> dict[str, float]:
        score = evaluate(LanguageModel(model, tokenizer), cell.task, split=SPLIT, limit=ITEMS, **chosen)
        return {"score": score.value, "response_nll": response_nll(Architecture(model), examples)}

    watch = Watch(steps, measure)
    settings = {**profile.settings_for(cell.task, cell.method), "seed": cell.seed}
    method, rows = profile.method_of(cell.method), training_rows(profile, cell.task)
    places: dict[str, Any] = {"validation": held_out, "task": cell.task, "watch": watch}
    record = run_method(method, source_once(profile.teacher), student, rows, **places, **settings).record
    student.release()
    if not watch.points:
        raise ValueError(NO_CURVE.format(cell.method))
    record["details"]["held_out"]["split"] = split
    return {
        **record,
        "method": cell.method,
        "configuration": {**record["configuration"], **configuration(profile, cell, record), **_measured_as(steps)},
        "details": {**record["details"], "curve": watch.points},
    }
