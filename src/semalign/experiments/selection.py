"""Hyperparameters chosen on validation data: a grid for each row and task, every point a record, the best kept."""

from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from semalign.data import tasks as benchmarks
from semalign.evaluation.run import evaluate, sandbox_of
from semalign.experiments.profiles import Profile
from semalign.experiments.runs import fingerprint_of, loaded_once, training_rows
from semalign.files import atomic_path, json_fingerprint
from semalign.methods.runner import run_method
from semalign.paths import results_dir
from semalign.results.records import PAPER, read_record, write_record

SPLIT, TABLE = "validation", "selection.csv"
ITEMS = 200  # validation items that a grid point is scored on


def grid(profile: Profile, row: str) -> Iterator[dict[str, Any]]:
    """Yield the points of the grid of a method or variant, the product of the lists that the profile gives."""
    choices = profile.selection[row]
    for values in product(*choices.values()):
        yield dict(zip(choices, values, strict=True))


def select(profile: Profile, folder: Path | None = None, names: Sequence[str] | None = None) -> pd.DataFrame:
    """Score every grid point of every row and task on validation data and return the table, best points marked.

    One seed, the general teacher, 200 items. Finished points are read, not run again. The table of all rows that are
    finished is kept as ``selection.csv`` beside the records.

    Args:
        profile: its ``selection`` has a grid for each row: a method of the registry or a variant.
        folder: where records go; default ``data/results/PROFILE-selection``.
        names: some of these rows; by default all.

    Raises:
        ValueError: before anything runs, for a row without a grid, a point that its method refuses, or grids that do
            not all have the same number of points: methods must be tuned alike.
        SandboxError: before anything runs, if a task runs programs and there is no sandbox for them.
    """
    folder = folder or results_dir() / f"{profile.name}-selection"
    rows = list(names or profile.selection)
    _check(profile, rows)
    for task in profile.tasks:
        sandbox_of(task)
    for task, row in tqdm(list(product(profile.tasks, rows)), desc="selection", disable=None):
        for point in grid(profile, row):
            _run(profile, task, row, point, folder)
    table = finished(profile, folder)
    with atomic_path(folder / TABLE) as temporary:
        table.to_csv(temporary, index=False)
    return table[table["variant"].isin(rows)].reset_index(drop=True)


def finished(profile: Profile, folder: Path) -> pd.DataFrame:
    """Return the rows and tasks of which every grid point has a record, one line a point.

    The best point of a row and task is marked: the highest score, and among equal scores the lowest response NLL.
    """
    lines = []
    for task, row in product(profile.tasks, profile.selection):
        points = list(grid(profile, row))
        paths = [folder / _file_name(profile, task, row, point) for point in points]
        if not all(path.is_file() for path in paths):
            continue
        for number, (point, path) in enumerate(zip(points, paths, strict=True)):
            record = read_record(path)
            line = {"task": task, "variant": row, "point": number, **point, "value": record["value"], "n": record["n"]}
            lines.append({**line, "response_nll": record["details"]["after"]["response_nll"]})
    table = pd.DataFrame(lines)
    ranked = table.sort_values(["value", "response_nll"], ascending=[False, True], kind="stable")
    table["best"] = ~ranked.duplicated(["task", "variant"]).reindex(table.index)
    return table


def chosen(profile: Profile, table: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Return the best points in the form of a profile's ``variants``."""
    variants: dict[str, dict[str, Any]] = {}
    for _, line in table[table["best"]].iterrows():
        row = line["variant"]
        named = {} if profile.method_of(row).name in (row, PAPER) else {"method": profile.method_of(row).name}
        variants.setdefault(row, named)[line["task"]] = list(grid(profile, row))[line["point"]]
    return variants


def _check(profile: Profile, rows: Sequence[str]) -> None:
    if unknown := set(rows) - set(profile.selection):
        raise ValueError(
            f"no grid for {', '.join(sorted(unknown))}: profile {profile.name} has {list(profile.selection)}"
        )
    sizes = {row: len(list(grid(profile, row))) for row in profile.selection}
    if len(set(sizes.values())) > 1:
        raise ValueError(f"the grids must have the same number of points: {sizes}")
    for row, task in product(rows, profile.tasks):
        for point in grid(profile, row):
            profile.method_of(row).settings(**{**profile.settings_for(task, row, varied=False), **point})


def _settings(profile: Profile, task: str, row: str, point: dict[str, Any]) -> dict[str, Any]:
    return {**profile.settings_for(task, row, varied=False), **point, "seed": profile.seeds[0]}


def _file_name(profile: Profile, task: str, row: str, point: dict[str, Any]) -> str:
    """Return the name of a point's record, by all that it depends on."""
    name = profile.method_of(row).name
    rows = training_rows(profile, task)
    models = [fingerprint_of(profile.teacher), fingerprint_of(profile.student)]
    # Points of SemAlign have no name in their key, so that rows of tables that share a point share its record.
    of_method = [] if name == PAPER else [name]
    return f"{task}--{json_fingerprint([models, _settings(profile, task, row, point), rows, ITEMS, *of_method])}.json"


def _run(profile: Profile, task: str, row: str, point: dict[str, Any], folder: Path) -> None:
    path = folder / _file_name(profile, task, row, point)
    if path.is_file():
        return
    teacher, student, chat = loaded_once(profile.teacher), loaded_once(profile.student), profile.evaluation.chat
    rows = training_rows(profile, task)
    held_out = benchmarks.rows(task, SPLIT, ITEMS, chat=chat, tokenizer=student.tokenizer)
    settings, batch_size = _settings(profile, task, row, point), profile.evaluation.batch_size
    result = run_method(profile.method_of(row), teacher, student, rows, validation=held_out, task=task, **settings)
    score = evaluate(result.model, task, split=SPLIT, limit=ITEMS, batch_size=batch_size, chat=chat)
    record = {
        **result.record,
        "metric": score.metric,
        "value": score.value,
        "n": score.n,
        "interval": [score.low, score.high],
        "losses": [],
    }
    record["configuration"] = {**record["configuration"], "split": SPLIT, "limit": ITEMS, "sandbox": score.sandbox}
    write_record(path, record)
