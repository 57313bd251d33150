"""A sweep: every point of a profile's grids trained and measured by held-out NLL, without scores and without a choice.

It takes seconds a point where :mod:`semalign.experiments.selection` also scores, so that it can go through every layer.
"""

from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import pandas as pd

from semalign.experiments.grids import Point, check_points, points, settings_at
from semalign.experiments.inputs import fingerprint_of, source_once, training_rows
from semalign.experiments.made_from import measured_on
from semalign.experiments.making import make_all
from semalign.experiments.preflight import check_runnable
from semalign.experiments.profiles import Profile
from semalign.experiments.staleness import Asked, problem, resolved
from semalign.experiments.transfers import measured_transfer
from semalign.files import json_fingerprint
from semalign.paths import results_dir
from semalign.results.records import read_record
from semalign.results.training import training_of

KEYS = ("task", "map", "interface", "student_layer")
NUMBERS = ("nll_before", "nll_after", "layer_cosine_before", "layer_cosine_after", "weight_change", "steps")


def sweep_folder(profile: Profile) -> Path:
    """Return where the records of a sweep are: ``data/results/PROFILE-sweep``."""
    return results_dir() / f"{profile.name}-sweep"


def run(profile: Profile, folder: Path | None = None, records: Sequence[str] | None = None) -> pd.DataFrame:
    """Make the records that are missing or stale, from the general teacher with the first seed; return the table.

    Args:
        profile: its ``selection`` has the points.
        folder: where records go; see :func:`sweep_folder`.
        records: names of records, without ``.json``, to which the points are restricted.

    Raises:
        ValueError: before anything runs, for a profile without grids, a point that its method refuses, or a row that
            does not fit its task; at the end, if there are points without a record.
    """
    folder = folder or sweep_folder(profile)
    check_points(profile, list(profile.selection))
    check_runnable(profile.model_copy(update={"scored": False}), folder, dict.fromkeys(profile.tasks, True))
    reason_of, by_name = reasons(profile, folder), {point.file_name: point for point in points(profile, None, records)}
    make_all(by_name.values(), folder, reason_of, partial(_record, profile), "points")
    return table(current(profile, folder))


def reasons(profile: Profile, folder: Path) -> Callable[[Point], str | None]:
    """Return the function that says why a point has to be run, None if it need not."""
    data = cache(lambda task: json_fingerprint(training_rows(profile, task)))

    def asked(point: Point, record: dict[str, Any]) -> Asked:
        models = {"teacher": fingerprint_of(profile.teacher), "student": fingerprint_of(profile.student)}
        settings = resolved(profile.method_of(point.entry), settings_at(profile, point), record)
        measured = {"held_out": profile.held_out, **measured_on(profile, point.task, record)}
        return {**models, "data": data(point.task)}, settings | measured

    return lambda point: problem(folder / point.file_name, partial(asked, point), "details.held_out.after")


def current(profile: Profile, folder: Path) -> list[Path]:
    """Return the records of a sweep that are whole and not stale."""
    reason_of = reasons(profile, folder)
    by_name = {point.file_name: point for point in points(profile)}  # entries of one method may share a record
    return [folder / name for name, point in by_name.items() if reason_of(point) is None]


def table(paths: Sequence[Path]) -> pd.DataFrame:
    """Return one line for each record: task, map, interface and layers, and what the training did."""
    lines = []
    for record in map(read_record, paths):
        settings, found = record["configuration"], training_of(record).columns()
        line = {"task": record["task"], **{key: settings.get(key) for key in KEYS[1:]}}
        lines.append(line | {key: found[key] for key in NUMBERS})
    return pd.DataFrame(lines, columns=[*KEYS, *NUMBERS])


def _record(profile: Profile, point: Point, folder: Path) -> dict[str, Any]:
    """Return the record of a point, whose value is the response NLL on the held-out rows."""
    settings = settings_at(profile, point)
    record = measured_transfer(profile, profile.teacher, point.task, point.entry, settings, output_dir=folder).record
    source_once(profile.student).release()
    return {**record, "configuration": {**record["configuration"], "held_out": profile.held_out}}
