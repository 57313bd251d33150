"""Which points of a profile's grids have a current record, told without PyTorch once the models are remembered."""

from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

from semalign.data.task_file import task_file
from semalign.data.tasks import split_fingerprint
from semalign.experiments.grids import Point, points, settings_at
from semalign.experiments.inputs import fingerprint_of, training_rows
from semalign.experiments.profiles import Profile
from semalign.experiments.staleness import Asked, problem, resolved
from semalign.files import json_fingerprint

SPLIT = "validation"
NUMBERS = ("value", "details.before.response_nll", "details.after.response_nll")  # what points are compared by
ITEMS = 200  # validation items that a grid point is scored on


def missing(
    profile: Profile, folder: Path, names: Sequence[str] | None = None, records: Sequence[str] | None = None
) -> dict[str, str]:
    """Return the names of records of grid points that are missing, damaged or stale, each with the reason.

    The reason is that of :func:`semalign.experiments.staleness.problem`. Arguments as in
    :func:`semalign.experiments.selection.select`.
    """
    reason_of = reasons(profile, folder)
    found = {point.file_name: reason_of(point) for point in points(profile, names, records)}
    return {name: reason for name, reason in found.items() if reason is not None}


def scored_on(task: str) -> dict[str, Any]:
    """Return what the score of a point is of: the task's version, its file if it is a user's own, a hash of its items.

    Records from before these were written do not have them, and need not.
    """
    source = task_file(task)
    return {"task_version": source.version, **source.own_file, "items": split_fingerprint(task, SPLIT)}


def reasons(profile: Profile, folder: Path) -> Callable[[Point], str | None]:
    """Return the function that says why a point has to be run, None if it need not."""
    data = cache(lambda task: json_fingerprint(training_rows(profile, task)))
    models = {"teacher": fingerprint_of(profile.teacher), "student": fingerprint_of(profile.student)}

    def asked(point: Point, record: dict[str, Any]) -> Asked:
        settings = resolved(profile.method_of(point.entry), settings_at(profile, point), record)
        known = {key: value for key, value in scored_on(point.task).items() if key in record["configuration"]}
        return {**models, "data": data(point.task)}, settings | {"split": SPLIT, "limit": ITEMS} | known

    return lambda point: problem(folder / point.file_name, partial(asked, point), *NUMBERS)
