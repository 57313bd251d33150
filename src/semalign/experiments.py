"""Runs of a profile: every model, method, task and seed gives one record on disk, made once and then only read."""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from tqdm import tqdm

from semalign import benchmarks
from semalign.evaluation import Evaluation, evaluate
from semalign.files import file_sha256, json_fingerprint, model_fingerprint
from semalign.models import LanguageModel, load_model
from semalign.paths import results_dir
from semalign.pipeline import transfer
from semalign.profiles import Profile
from semalign.records import make_record, read_record, read_records, write_record
from semalign.statistics import mean_interval

PAPER = "semalign"  # the method under the paper's settings
NONE = "none"  # a model as it is


class Cell(NamedTuple):
    """One number of a table: a method, its teacher (None for a model as it is), student, task and seed."""

    method: str
    teacher: str | None
    student: str
    task: str
    seed: int | None

    @property
    def file_name(self) -> str:
        """Name of the record's file."""
        parts = (self.method, self.teacher, self.student, self.task, self.seed)
        return "--".join(str(part).replace("/", "_") for part in parts if part is not None) + ".json"


def cells(profile: Profile) -> Iterator[Cell]:
    """Yield all cells of a profile: models as they are, then every method from every teacher with every seed."""
    for task in profile.tasks:
        for model in (profile.student, *profile.teachers_for(task)):
            yield Cell(NONE, None, model, task, None)
    for task in profile.tasks:
        for method in (PAPER, *profile.variants):
            for teacher in profile.teachers_for(task):
                for seed in profile.seeds:
                    yield Cell(method, teacher, profile.student, task, seed)


def run_cell(profile: Profile, cell: Cell, split: str = "test") -> dict[str, Any]:
    """Return the record of a cell: the transfer if there is one, then the benchmark's score."""
    student = loaded_once(cell.student)
    if cell.teacher is None:
        return _scored(profile, student, cell.task, split)
    rows = benchmarks.rows(cell.task, "train", profile.tasks[cell.task].train_size)
    settings = {**_settings(profile, cell), "seed": cell.seed}
    result = transfer(loaded_once(cell.teacher), student, rows, task=cell.task, **settings)
    scored = _scored(profile, result.model, cell.task, split)
    record, fingerprints = result.record, {**result.record["fingerprints"], **scored["fingerprints"]}
    return {
        **scored,
        **{key: record[key] for key in ("teacher", "student", "seed", "losses")},
        "method": cell.method,
        "configuration": {**record["configuration"], **scored["configuration"]},
        "fingerprints": {**fingerprints, "student": record["fingerprints"]["student"]},
        "seconds": record["seconds"],
        "details": {**record["details"], **scored["details"]},
    }


def _scored(profile: Profile, model: LanguageModel, task: str, split: str) -> dict[str, Any]:
    limit, batch_size = profile.evaluation.limit, profile.evaluation.batch_size
    return score_record(model, evaluate(model, task, split=split, limit=limit, batch_size=batch_size), limit)


def score_record(model: LanguageModel, score: Evaluation, limit: int | None = None) -> dict[str, Any]:
    """Return the record of a score; ``details`` keeps which items were right, in order, for paired comparisons."""
    return make_record(
        method=NONE,
        teacher=None,
        student=model.name,
        task=score.task,
        seed=None,
        metric=score.metric,
        value=score.value,
        n=score.n,
        interval=(score.low, score.high),
        configuration={"split": score.split, "limit": limit},
        fingerprints={"student": model_fingerprint(model.model), "test": _split_fingerprint(score.task, score.split)},
        seconds=score.seconds,
        details={
            "scores": score.scores,
            "correct": "".join(str(int(sample["correct"])) for sample in score.samples),
            "evaluation_seconds": score.seconds,
        },
    )


def missing(profile: Profile, folder: Path) -> list[Cell]:
    """Return the cells of a profile that have no record, or one made from other models, data or settings."""
    return [cell for cell in cells(profile) if not _is_current(profile, cell, folder / cell.file_name)]


def run(profile: Profile, folder: Path | None = None) -> list[Path]:
    """Make the records that are missing or stale, one file each as it is done; return what was written."""
    folder = folder or results_dir() / profile.name
    written = []
    progress = tqdm(missing(profile, folder), desc="cells", disable=None)
    for cell in progress:
        progress.set_postfix_str(cell.file_name.removesuffix(".json"))
        write_record(folder / cell.file_name, run_cell(profile, cell))
        written.append(folder / cell.file_name)
    return written


def _settings(profile: Profile, cell: Cell) -> dict[str, Any]:
    return profile.settings_for(cell.task, None if cell.method == PAPER else cell.method)


def _is_current(profile: Profile, cell: Cell, path: Path) -> bool:
    """A finished record is never computed again; one whose inputs changed is stale."""
    if not path.is_file():
        return False
    record = read_record(path)
    expected = {"student": fingerprint_of(cell.student), "test": _split_fingerprint(cell.task, "test")}
    configuration = {"split": "test", "limit": profile.evaluation.limit}
    if cell.teacher is not None:
        rows = benchmarks.rows(cell.task, "train", profile.tasks[cell.task].train_size)
        expected |= {"teacher": fingerprint_of(cell.teacher), "data": json_fingerprint(rows)}
        configuration |= {**_settings(profile, cell), "seed": cell.seed}
    return record["fingerprints"] == expected and configuration.items() <= record["configuration"].items()


@lru_cache(maxsize=4)
def loaded_once(name: str) -> LanguageModel:
    """Return a model by name, kept for the next cells."""
    return load_model(name)


@lru_cache
def fingerprint_of(name: str) -> str:
    """Return the fingerprint of a model by name."""
    return model_fingerprint(loaded_once(name).model)


@lru_cache
def _split_fingerprint(task: str, split: str) -> str:
    return file_sha256(benchmarks.task_file(task, split))[:16]


def summary(folder: Path) -> pd.DataFrame:
    """Return one row for each method, teacher, student and task: mean over seeds with a 95% interval.

    With several seeds the interval is Student's t over them; a single run keeps its own interval over the items.
    """
    records = read_records(folder)
    lines = []
    for key, part in records.groupby(["method", "teacher", "student", "task"], dropna=False, sort=False):
        mean, low, high = part["value"].iloc[0], part["low"].iloc[0], part["high"].iloc[0]
        if len(part) > 1:
            mean, low, high = mean_interval(part["value"].tolist())
        lines.append([*key, mean, low, high, len(part), part["n"].iloc[0], part["seconds"].mean()])
    columns = ["method", "teacher", "student", "task", "value", "low", "high", "seeds", "n", "seconds"]
    return pd.DataFrame(lines, columns=columns)
