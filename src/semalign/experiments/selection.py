"""Settings chosen on validation data: every point of a grid is a run with a record, and the best point is kept."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from semalign.data import tasks as benchmarks
from semalign.evaluation.record import engine_configuration
from semalign.evaluation.run import evaluate
from semalign.evaluation.vllm_engine import VllmModel
from semalign.experiments.asked_for import of_points
from semalign.experiments.grids import Point, check_grids, grid, points, settings_at
from semalign.experiments.inputs import has_validation, source_once, training_rows
from semalign.experiments.making import make_all
from semalign.experiments.preflight import check_runnable
from semalign.experiments.profiles import Profile
from semalign.experiments.scored_models import scored_model
from semalign.experiments.selection_currency import ITEMS, SPLIT, missing, reasons, scored_on
from semalign.files import atomic_path
from semalign.methods.runner import run_method
from semalign.models.loading import LanguageModel
from semalign.paths import results_dir
from semalign.results.records import read_record

TABLE = "selection.csv"
ROUNDING = 1e-9  # percent; a score is a quotient of two counts
FIRST = ("task", "variant", "point")  # the first columns of a table of points; then come settings, and then the last
LAST = ("value", "n", "nll_before", "response_nll")


def select(
    profile: Profile,
    folder: Path | None = None,
    names: Sequence[str] | None = None,
    records: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Score every grid point of every entry and task on validation data; return the table with the best points marked.

    One seed, the general teacher, 200 items. Current records are read, not made again. The table of all entries that
    are finished is kept as ``selection.csv`` beside the records.

    Args:
        profile: its ``selection`` has a grid for each entry: a method of the registry or a variant.
        folder: where records go; default ``data/results/PROFILE-selection``.
        names: some of these entries; by default all.
        records: names of records, without ``.json``, to which the points are restricted.

    Raises:
        ValueError: before anything runs, for an entry without a grid, a point that its method refuses or that names
            layers or rows that are not there, a row that does not fit its task, or grids that do not all have the same
            number of points: methods must be tuned alike; at the end, if there are points without a record.
        SandboxError: before anything runs, if a task runs programs and there is no sandbox for them.
    """
    folder = folder or results_dir() / f"{profile.name}-selection"
    entries = list(names or profile.selection)
    check_grids(profile, entries)
    scored = profile.model_copy(update={"scored": True})  # points are, whatever the profile says of its cells
    asked = of_points(profile, points(profile, entries, records))
    check_runnable(scored, folder, dict.fromkeys(profile.tasks, True), SPLIT, asked)
    if trained := [task for task in profile.tasks if not has_validation(task)]:
        raise ValueError(f"{trained[0]} trains on its {SPLIT} split, or has none: nothing can be chosen on it")
    lacking = missing(profile, folder, entries, records)
    reason_of, by_name = reasons(profile, folder), {point.file_name: point for point in points(profile, entries)}
    try:
        make_all([by_name[name] for name in lacking], folder, reason_of, partial(_run, profile), "points")
    finally:  # what is finished is kept, whatever stopped the others
        table = finished(profile, folder)
        _keep(table, folder / TABLE)
    return table[table["variant"].isin(entries)].reset_index(drop=True)


def _keep(table: pd.DataFrame, path: Path) -> None:
    """Write a table of points; without any there is no file."""
    if table.empty:
        path.unlink(missing_ok=True)
        return
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=False)


def finished(profile: Profile, folder: Path) -> pd.DataFrame:
    """Return the entries and tasks of which every grid point has a current record, one line a point.

    The best point of each entry and task is marked; see :func:`with_best`.
    """
    lacking = missing(profile, folder)
    unfinished = {(point.task, point.entry) for point in points(profile) if point.file_name in lacking}
    done = [point for point in points(profile) if (point.task, point.entry) not in unfinished]
    columns = None if done else [*FIRST, *LAST]
    table = pd.DataFrame([_line(point, read_record(folder / point.file_name)) for point in done], columns=columns)
    return with_best(table)


def with_best(table: pd.DataFrame) -> pd.DataFrame:
    """Return scores of points with a column ``best``, true for one point of each entry and task.

    Of the points whose score is within one standard error of the highest, ``sqrt(p (1 - p) / n)`` for a share p of n
    items, it is the one with the lowest response NLL: scores on few items cannot tell these points apart, and the NLL
    is measured more finely.

    Args:
        table: one line a point, with ``task``, ``variant``, ``value`` in percent, ``n`` and ``response_nll``.
    """
    share = table.groupby(["task", "variant"])["value"].transform("max") / 100
    error = 100 * (share * (1 - share) / table["n"]) ** 0.5
    near = table[table["value"] >= 100 * share - error - ROUNDING].sort_values("response_nll", kind="stable")
    return table.assign(best=table.index.isin(near.drop_duplicates(["task", "variant"]).index))


def _line(point: Point, record: dict[str, Any]) -> dict[str, Any]:
    before, after = (record["details"][when]["response_nll"] for when in ("before", "after"))
    scores = record["value"], record["n"], before, after
    return dict(zip(FIRST, point, strict=False)) | point.settings | dict(zip(LAST, scores, strict=True))


def chosen(profile: Profile, table: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Return the best points in the form of a profile's ``variants``, on top of what these say now."""
    variants: dict[str, dict[str, Any]] = {}
    for _, line in table[table["best"]].iterrows():
        entry, task = line["variant"], line["task"]
        given = profile.variants[entry].model_dump(exclude_unset=True) if entry in profile.variants else {}
        point = list(grid(profile, entry))[line["point"]]
        variant = variants.setdefault(entry, given)
        variant[task] = variant.get(task, {}) | point
    return variants


def _run(profile: Profile, point: Point, folder: Path) -> dict[str, Any]:
    """Return the record of a point: the transfer, which keeps a checkpoint in the folder, scored on validation data."""
    record, model = _transferred(profile, point, folder)
    settings = profile.evaluation
    score = evaluate(model, point.task, split=SPLIT, limit=ITEMS, batch_size=settings.batch_size, chat=settings.chat)
    asked = {"split": SPLIT, "limit": ITEMS, **scored_on(point.task)}
    chosen = {**asked, "sandbox": score.sandbox, **engine_configuration(model)}
    scored = {"metric": score.metric, "value": score.value, "n": score.n, "interval": [score.low, score.high]}
    return {**record, **scored, "losses": [], "configuration": {**record["configuration"], **chosen}}


def _transferred(profile: Profile, point: Point, folder: Path) -> tuple[dict[str, Any], LanguageModel | VllmModel]:
    """Return the record of a point's transfer, and the model to score; nothing else of it stays in memory."""
    task, chat = point.task, profile.evaluation.chat
    teacher, student = source_once(profile.teacher), source_once(profile.student)
    held_out = benchmarks.rows(task, SPLIT, ITEMS, chat=chat, tokenizer=student.outline.tokenizer)
    result = run_method(
        profile.method_of(point.entry),
        teacher,
        student,
        training_rows(profile, task),
        output_dir=folder,
        validation=held_out,
        task=task,
        **settings_at(profile, point),
    )
    student.release()
    return result.record, scored_model(profile, profile.student, result)
