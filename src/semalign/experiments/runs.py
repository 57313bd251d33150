"""Runs of a profile: every model, method, task and seed gives one record on disk, made once and then only read."""

import logging
from collections.abc import Callable, Collection, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from semalign.data import tasks as benchmarks
from semalign.data import training_rows as training_data
from semalign.evaluation.record import score_record, split_fingerprint
from semalign.evaluation.run import evaluate, sandbox_of
from semalign.experiments.cells import Cell, cells
from semalign.experiments.profiles import Profile
from semalign.files import json_fingerprint, model_fingerprint
from semalign.methods.runner import run_method
from semalign.models.loading import LanguageModel, load_model
from semalign.paths import results_dir
from semalign.results.records import PAPER, read_record, read_records, write_record
from semalign.results.statistics import mean_interval

logger = logging.getLogger(__name__)
MISSING = "missing"
FIRST_RECORDS = {"method": PAPER, "chat": "plain", "task_version": 1.0}  # what those do not name


def run_cell(profile: Profile, cell: Cell, beside: Path | None = None) -> dict[str, Any]:
    """Return the record of a cell: the transfer if there is one, then the benchmark's score.

    Args:
        profile: the profile.
        cell: one of it.
        beside: path of the record to come, for the samples; see :func:`semalign.evaluation.run.evaluate`.
    """
    student = loaded_once(cell.student)
    if cell.teacher is None:
        return _scored(profile, student, cell.task, beside)
    rows = training_rows(profile, cell.task)
    settings = {**profile.settings_for(cell.task, cell.method), "seed": cell.seed}
    method = profile.method_of(cell.method)
    result = run_method(method, loaded_once(cell.teacher), student, rows, task=cell.task, **settings)
    scored = _scored(profile, result.model, cell.task, beside)
    record, fingerprints = result.record, {**result.record["fingerprints"], **scored["fingerprints"]}
    return {
        **scored,
        **{key: record[key] for key in ("teacher", "student", "seed", "losses")},
        "method": cell.method,
        "configuration": {"method": method.name, **record["configuration"], **scored["configuration"]},
        "fingerprints": {**fingerprints, "student": record["fingerprints"]["student"]},
        "seconds": record["seconds"],
        "details": {**record["details"], **scored["details"]},
    }


def _scored(profile: Profile, model: LanguageModel, task: str, beside: Path | None) -> dict[str, Any]:
    settings = profile.evaluation
    score = evaluate(
        model, task, limit=settings.limit, batch_size=settings.batch_size, chat=settings.chat, beside=beside
    )
    return score_record(model, score, settings.limit)


def training_rows(profile: Profile, task: str) -> list[dict[str, str]]:
    """Return the training rows of a profile's task, in the chat format in which it is evaluated."""
    settings, chat = profile.tasks[task], profile.evaluation.chat
    tokenizer = loaded_once(profile.student).tokenizer if benchmarks.chat_name(task, chat) == "model" else None
    return training_data.rows(task, settings.train_size, settings.training_data, chat=chat, tokenizer=tokenizer)


def missing(profile: Profile, folder: Path, names: Sequence[str] | None = None) -> dict[Cell, str]:
    """Return the cells of a profile that have no record, or a stale one, and why: ``missing`` or ``stale: ...``.

    A record is stale if it was made from other models, data or settings; what differs is named. The sandbox
    that its programs ran in is no such setting.
    """
    data = cache(lambda task: json_fingerprint(training_rows(profile, task)))
    found = {cell: _lack(profile, cell, folder / cell.file_name, data) for cell in cells(profile, names)}
    return {cell: lack for cell, lack in found.items() if lack}


def current(profile: Profile, folder: Path, names: Sequence[str] | None = None) -> set[str]:
    """Return the file names of the records of a profile that are there and not stale; ``names`` as in `rows_of`."""
    lacks = missing(profile, folder, names)
    return {cell.file_name for cell in cells(profile, names) if cell not in lacks}


def run(profile: Profile, folder: Path | None = None, names: Sequence[str] | None = None) -> list[Path]:
    """Make the records that are missing or stale, one file each as it is done; return what was written.

    A finished record is never made again. A method that refuses a pair or fails leaves its cells without a record and
    does not keep the others from theirs.

    Raises:
        ValueError: at the end, if there were such cells; it names the first and says why.
        SandboxError: before anything runs, if a task runs programs and there is no sandbox for them.
    """
    folder = folder or results_dir() / profile.name
    written: list[Path] = []
    failed: list[str] = []
    lacks = missing(profile, folder, names)
    for task in {cell.task for cell in lacks}:
        sandbox_of(task)
    progress = tqdm(lacks.items(), desc="cells", disable=None)
    for cell, lack in progress:
        name = cell.file_name.removesuffix(".json")
        progress.set_postfix_str(name)
        if lack != MISSING:
            logger.warning("%s is %s: made again", name, lack)
        try:
            write_record(folder / cell.file_name, run_cell(profile, cell, folder / cell.file_name))
            written.append(folder / cell.file_name)
        except (ValueError, FloatingPointError) as error:
            logger.error("%s: %s", name, error)
            failed.append(f"{name}: {error}")
    if failed:
        raise ValueError(f"{len(failed)} cells without a record; {failed[0]}")
    return written


def _lack(profile: Profile, cell: Cell, path: Path, data: Callable[[str], str]) -> str:
    """Return what is wrong with the record of a cell, or the empty string; ``data`` is the hash of a task's rows."""
    if not path.is_file():
        return MISSING
    record = read_record(path)
    expected = {"student": fingerprint_of(cell.student), "test": split_fingerprint(cell.task, "test")}
    configuration = {
        "split": "test",
        "limit": profile.evaluation.limit,
        "chat": benchmarks.chat_name(cell.task, profile.evaluation.chat),
        "task_version": float(benchmarks.metadata(cell.task)["version"]),
    }
    made = {**FIRST_RECORDS, **record["configuration"]}
    if cell.teacher is not None:
        method = profile.method_of(cell.method)
        expected |= {"teacher": fingerprint_of(cell.teacher), "data": data(cell.task)}
        given = {**profile.settings_for(cell.task, cell.method), "seed": cell.seed}
        # A setting that the record does not know is younger than it and has its default, unless it is given.
        resolved = {
            key: v for key, v in method.settings(**given).model_dump(mode="json").items() if key in made or key in given
        }
        configuration |= {**resolved, "method": method.name}
    changed = [
        key for key in {**expected, **record["fingerprints"]} if record["fingerprints"].get(key) != expected.get(key)
    ]
    changed += [key for key, value in configuration.items() if key not in made or made[key] != value]
    return f"stale: other {', '.join(changed)}" if changed else ""


@lru_cache(maxsize=4)
def loaded_once(name: str) -> LanguageModel:
    """Return a model by name, kept for the next cells."""
    return load_model(name)


@lru_cache
def fingerprint_of(name: str) -> str:
    """Return the fingerprint of a model by name."""
    return model_fingerprint(loaded_once(name).model)


def summary(folder: Path, only: Collection[str] | None = None) -> pd.DataFrame:
    """Return one row for each method, teacher, student and task: mean over seeds with a 95% interval.

    With several seeds the interval is Student's t over them; a single run keeps its own interval over the items.

    Args:
        folder: run records.
        only: names of the files to read, as :func:`current` gives them; None: all.
    """
    records = read_records(folder, only)
    lines = []
    for key, part in records.groupby(["method", "teacher", "student", "task"], dropna=False, sort=False):
        mean, low, high = part["value"].iloc[0], part["low"].iloc[0], part["high"].iloc[0]
        if len(part) > 1:
            mean, low, high = mean_interval(part["value"].tolist())
        lines.append([*key, mean, low, high, len(part), part["n"].iloc[0], part["seconds"].mean()])
    columns = ["method", "teacher", "student", "task", "value", "low", "high", "seeds", "n", "seconds"]
    return pd.DataFrame(lines, columns=columns)
