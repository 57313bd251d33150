"""Curves: score, response NLL and layer cosine over the steps of one training, on validation rows.

The learning rate falls to zero over all steps of a training. A curve is measured along one training that is as long as
its last point, so a point before it is not the end of a shorter training: its rate has not fallen yet.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from semalign.evaluation.run import evaluate
from semalign.experiments.cells import Cell, cells, entries_of
from semalign.experiments.inputs import check_data, held_out_rows, source_once, training_rows
from semalign.experiments.made_from import configuration, fingerprints
from semalign.experiments.making import make_all
from semalign.experiments.preflight import check_runnable
from semalign.experiments.profile_parts import Variant
from semalign.experiments.profiles import Profile
from semalign.experiments.selection_currency import ITEMS, SPLIT
from semalign.experiments.staleness import Asked, problem
from semalign.experiments.transfers import measured_transfer
from semalign.files import json_fingerprint
from semalign.models.architecture import Architecture
from semalign.models.loading import LanguageModel
from semalign.paths import results_dir
from semalign.results.records import PAPER, read_record
from semalign.training.finetuning import response_nll
from semalign.training.watching import Watch

STEPS = (0, 5, 10, 15, 25, 40, 60, 80, 120, 160, 240, 320, 400)
SCORED = (0, 15, 80, 400)
METHODS = (PAPER, "permuted-atoms", "output-cosine", "layer-cosine", "cross-entropy")
ONE_TRAINING = "one_layer"  # the schedule that is one training from the first step to the last
NO_CURVE = "{} does not train the student in one go, step by step: there is no curve of it"
TOO_SHORT = "the training has {} steps, as rows were left out of it, and the curve has points up to {}: ask for fewer"


@dataclass(frozen=True)
class Curves:
    """The curves of a profile, a record each: every entry from the general teacher, with every seed of the profile.

    Each entry is trained for the epochs that the last step needs.

    Attributes:
        profile: the profile.
        names: methods and variants; None: SemAlign, permuted atoms, both terms alone and cross-entropy, with all their
            variants in the profile.
        folder: where records are; None: ``data/results/PROFILE-curves``.
        steps: after how many steps to measure NLL and layer cosine; 0 is the student as it was.
        scored: after which of them to score too, which takes longer.
    """

    profile: Profile
    names: Sequence[str] | None = None
    folder: Path | None = None
    steps: Sequence[int] = STEPS
    scored: Sequence[int] = SCORED

    @property
    def entries(self) -> list[str]:
        """The entries that have a curve."""
        if self.names:
            return entries_of(self.profile, self.names)
        return [name for name in entries_of(self.profile) if self.profile.method_of(name).name in METHODS]

    @property
    def place(self) -> Path:
        """The folder of the records."""
        return self.folder or results_dir() / f"{self.profile.name}-curves"

    @property
    def command(self) -> str:
        """The command that makes the records."""
        methods = f" --methods {','.join(self.names)}" if self.names else ""
        return f"semalign curves {self.profile.option}{methods} --seeds {len(self.profile.seeds)}"

    @cached_property
    def long(self) -> Profile:
        """The profile in which entries train until the last step; ``ValueError`` for an entry without a curve."""
        return lengthened(self.profile, self.entries, max(self.steps))

    @property
    def cells(self) -> list[Cell]:
        """The cells, of which each has a record."""
        return [cell for cell in cells(self.long, self.entries) if cell.teacher == self.profile.teacher]

    def reason(self, cell: Cell) -> str | None:
        """Return why a curve has to be made, None if it need not; see :mod:`semalign.experiments.staleness`."""

        def asked(record: dict[str, Any]) -> Asked:
            made_with = {**configuration(self.long, cell, record), **self.measured_as}
            return fingerprints(cell, self._data, scored=False), made_with

        return problem(self.place / cell.file_name, asked, "value")

    @cached_property
    def _data(self) -> Callable[[str], str]:
        return cache(lambda task: json_fingerprint(training_rows(self.long, task)))

    @property
    def measured_as(self) -> dict[str, Any]:
        """What the configuration of a record says of the measurement."""
        return {"split": SPLIT, "limit": ITEMS, "curve_steps": list(self.steps), "scored_steps": list(self.scored)}

    @property
    def current(self) -> list[Path]:
        """The records that are whole and not stale."""
        return [self.place / cell.file_name for cell in self.cells if self.reason(cell) is None]


def run(curves: Curves) -> pd.DataFrame:
    """Make the curves that are missing or stale, and return the points of all; one that was stopped starts anew.

    Raises:
        ValueError: before anything runs, for a method that does not train the student step by step, such as LaTen;
            at the end, if there are cells without a curve.
    """
    wanted = curves.cells
    # The points are scored or not, whatever the profile says of its cells.
    measured = curves.profile.model_copy(update={"scored": bool(curves.scored)})
    check_runnable(measured, curves.place, dict.fromkeys(curves.profile.tasks, True), SPLIT)
    for task in curves.profile.tasks:
        check_data(curves.profile, task, None)
    make_all(wanted, curves.place, curves.reason, lambda cell, _: _record(curves, cell), "curves")
    return points(curves.current)


def points(paths: Sequence[Path]) -> pd.DataFrame:
    """Return the points of some curves: ``method``, ``task``, ``seed``, ``step`` and the measurements.

    The score is missing after steps that were not scored, the layer cosine for a method without targets.
    """
    keys = ("method", "task", "seed")
    found = [
        {**{key: record[key] for key in keys}, **point}
        for record in map(read_record, paths)
        for point in record["details"]["curve"]
    ]
    return pd.DataFrame(found, columns=[*keys, "step", "score", "response_nll", "layer_cosine"])


def lengthened(profile: Profile, names: Sequence[str], steps: int) -> Profile:
    """Return a profile in which entries train for at least a number of steps, in whole epochs."""
    variants = dict(profile.variants)
    rows = {task: len(training_rows(profile, task)) for task in profile.tasks} if names else {}
    for name in names:
        own = profile.variants.get(name, Variant(method=None, tasks=None))
        changed = {
            task: {**own.settings_for(task), "epochs": _epochs(profile, name, task, rows[task], steps)}
            for task in profile.tasks
        }
        variants[name] = Variant(method=profile.method_of(name).name, tasks=own.tasks, **changed)
    return profile.model_copy(update={"variants": variants})


def _epochs(profile: Profile, name: str, task: str, rows: int, steps: int) -> int:
    settings: Any = profile.method_of(name).settings(**profile.settings_for(task, name))
    if not hasattr(settings, "epochs") or getattr(settings, "schedule", ONE_TRAINING) != ONE_TRAINING:
        raise ValueError(NO_CURVE.format(name))
    trained = min(rows, settings.train_size or rows)
    return math.ceil(steps / math.ceil(trained / settings.batch_size))


def _record(curves: Curves, cell: Cell) -> dict[str, Any]:
    """Return the record of a curve: that of the transfer, with the points in ``details.curve``."""
    profile = curves.long
    student = source_once(cell.student)
    tokenizer, examples = student.outline.tokenizer, student.outline.encode(held_out_rows(profile, cell.task)[0])
    chosen: dict[str, Any] = {"batch_size": profile.evaluation.batch_size, "chat": profile.evaluation.chat}

    def measure(step: int, model: Any) -> dict[str, float]:
        nll = {"response_nll": response_nll(Architecture(model), examples)}
        if step not in curves.scored:
            return nll
        score = evaluate(LanguageModel(model, tokenizer), cell.task, split=SPLIT, limit=ITEMS, **chosen)
        return {"score": score.value, **nll}

    watch = Watch(curves.steps, measure)
    settings = {**profile.settings_for(cell.task, cell.method), "seed": cell.seed}
    record = measured_transfer(profile, profile.teacher, cell.task, cell.method, settings, watch=watch).record
    student.release()
    if not watch.points:
        raise ValueError(NO_CURVE.format(cell.method))
    if [point["step"] for point in watch.points] != sorted(set(curves.steps)):
        raise ValueError(TOO_SHORT.format(record["details"]["steps"], max(curves.steps)))
    return {
        **record,
        "method": cell.method,
        "configuration": {**record["configuration"], **configuration(profile, cell, record), **curves.measured_as},
        "details": {**record["details"], "curve": watch.points},
    }
