"""Runs of a profile: each model, method, task and seed gives one record on disk, which is made once."""

import logging
from collections.abc import Collection, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from semalign.evaluation.record import score_record
from semalign.evaluation.run import evaluate
from semalign.evaluation.vllm_engine import VllmModel
from semalign.experiments.asked_for import of_cells
from semalign.experiments.cells import Cell, cells
from semalign.experiments.currency import missing, reasons
from semalign.experiments.grids import not_chosen
from semalign.experiments.inputs import fingerprint_of, source_once
from semalign.experiments.made_from import configuration
from semalign.experiments.making import make_all
from semalign.experiments.preflight import check_runnable
from semalign.experiments.profiles import Profile
from semalign.experiments.scored_models import needs_folder, scored_model
from semalign.experiments.transfers import measured_transfer
from semalign.methods.runner import TransferResult
from semalign.models.loading import LanguageModel
from semalign.paths import results_dir
from semalign.results.records import read_records
from semalign.results.statistics import mean_interval

logger = logging.getLogger(__name__)


def run_cell(
    profile: Profile, cell: Cell, record_path: Path | None = None, folder: Path | None = None
) -> dict[str, Any]:
    """Return the record of a cell: the transfer if there is one, then the score on the task.

    Args:
        profile: the profile.
        cell: one of it.
        record_path: where the record will be; see :func:`semalign.evaluation.run.evaluate`.
        folder: for the checkpoint and the result of the transfer, which goes on there if it was stopped.
    """
    student = source_once(cell.student)
    try:
        return _record(profile, cell, record_path, folder)
    finally:
        student.release()


def _record(profile: Profile, cell: Cell, record_path: Path | None, folder: Path | None) -> dict[str, Any]:
    if cell.teacher is None:
        student = fingerprint_of(cell.student)
        scored = _scored(profile, scored_model(profile, cell.student), cell.task, record_path)
        return {**scored, "fingerprints": {**scored["fingerprints"], "student": student}}
    if not profile.scored:
        record = _transfer(profile, cell, folder).record
        asked = {"method": record["method"], **record["configuration"], **configuration(profile, cell, record)}
        return {**record, "method": cell.method, "configuration": asked, "losses": []}
    if needs_folder(profile, folder):
        with TemporaryDirectory() as temporary:
            return _record(profile, cell, record_path, Path(temporary))
    record, model = _transferred(profile, cell, folder)
    scored = _scored(profile, model, cell.task, record_path)
    fingerprints = {**record["fingerprints"], **scored["fingerprints"]}
    return {
        **scored,
        **{key: record[key] for key in ("teacher", "student", "seed", "losses")},
        "method": cell.method,
        "configuration": {"method": record["method"], **record["configuration"], **scored["configuration"]},
        # What was scored is the adapted student; the record's student is the one before the transfer.
        "fingerprints": {**fingerprints, "student": record["fingerprints"]["student"]},
        "seconds": record["seconds"],
        "details": {**record["details"], **scored["details"]},
    }


def _transferred(profile: Profile, cell: Cell, folder: Path | None) -> tuple[dict[str, Any], LanguageModel | VllmModel]:
    """Return the record of a transfer, and the model to score; nothing else of the transfer stays in memory."""
    result = _transfer(profile, cell, folder)
    return result.record, scored_model(profile, cell.student, result)


def _transfer(profile: Profile, cell: Cell, folder: Path | None) -> TransferResult:
    settings = {**profile.settings_for(cell.task, cell.method), "seed": cell.seed}
    return measured_transfer(profile, str(cell.teacher), cell.task, cell.method, settings, output_dir=folder)


def _scored(profile: Profile, model: LanguageModel | VllmModel, task: str, record_path: Path | None) -> dict[str, Any]:
    settings = profile.evaluation
    chosen: dict[str, Any] = {"limit": settings.limit, "batch_size": settings.batch_size, "chat": settings.chat}
    return score_record(model, evaluate(model, task, **chosen, record_path=record_path), settings.limit)


def run(
    profile: Profile,
    folder: Path | None = None,
    names: Sequence[str] | None = None,
    records: Sequence[str] | None = None,
) -> list[Path]:
    """Make the records that are missing, damaged or stale, one file each as it is done; return what was written.

    A current record is never made again. If a method refuses a pair or fails, or the memory is too small, its cells
    stay without a record, and the other cells run all the same. A cell that was stopped goes on from its last
    checkpoint and its last answers.
    Several processes that are started with the same profile share the cells.

    Raises:
        ValueError: before anything runs, for a row of the data that does not fit its task, fewer training rows than a
            task asks for, or an entry that names layers or rows that are not there in all its cells, of those that are
            asked for; at the end, if there were cells without a record: it names the first and says why.
        OSError: before anything runs, if a model, data or the folder are not there (:func:`check_runnable`).
        SandboxError: before anything runs, if a task runs programs and there is no sandbox for them.
    """
    folder = folder or results_dir() / profile.name
    wanted, reason_of = missing(profile, folder, names, records), reasons(profile, folder)
    tasks = {cell.task: any(each.teacher for each in wanted if each.task == cell.task) for cell in wanted}
    check_runnable(profile, folder, tasks, asked=of_cells(profile, cells(profile, names, records)))
    if found := not_chosen(profile, {cell.method for cell in wanted}):
        logger.warning(
            "%s: run with settings that were not chosen; `semalign select %s` finds them, to be put under `variants`",
            ", ".join(found),
            profile.option,
        )

    def made(cell: Cell, place: Path) -> dict[str, Any]:
        return run_cell(profile, cell, folder / cell.file_name, place)

    return make_all(wanted, folder, reason_of, made, "cells")


def summary(folder: Path, only: Collection[str] | None = None) -> pd.DataFrame:
    """Return one line for each method, teacher, student and task: mean over seeds with a 95% interval.

    With several seeds the interval is Student's t over them; a single run keeps its own interval over the items.
    ``idle`` is how many of the runs did not train (:attr:`semalign.results.training.Training.trained`).

    Args:
        folder: run records.
        only: names of the files to read, as :func:`semalign.experiments.currency.current` gives them; None: all.
    """
    records = read_records(folder, only)
    lines = []
    for key, part in records.groupby(["method", "teacher", "student", "task"], dropna=False, sort=False):
        mean, low, high = part["value"].iloc[0], part["low"].iloc[0], part["high"].iloc[0]
        if len(part) > 1:
            mean, low, high = mean_interval(part["value"].tolist())
        idle = sum(trained is False for trained in part["trained"])
        lines.append([*key, mean, low, high, len(part), part["n"].iloc[0], part["seconds"].mean(), idle])
    columns = ["method", "teacher", "student", "task", "value", "low", "high", "seeds", "n", "seconds", "idle"]
    return pd.DataFrame(lines, columns=columns)
