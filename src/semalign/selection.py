"""Hyperparameters chosen on validation data: a grid for each row and task, every point a record, the best kept."""

from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from semalign import benchmarks
from semalign.evaluation import evaluate
from semalign.experiments import fingerprint_of, loaded_once, training_rows
from semalign.files import atomic_path, json_fingerprint
from semalign.paths import results_dir
from semalign.profiles import PAPER, Profile
from semalign.records import read_record, write_record

SPLIT = "validation"
ITEMS = 200  # validation items that a grid point is scored on


def grid(profile: Profile, row: str) -> Iterator[dict[str, Any]]:
    """Yield the points of the grid of a method or variant, the product of the lists that the profile gives."""
    choices = profile.selection[row]
    for values in product(*choices.values()):
        yield dict(zip(choices, values, strict=True))


def select(profile: Profile, folder: Path | None = None, names: Sequence[str] | None = None) -> pd.DataFrame:
    """Score every grid point of every row and task on validation data and return the table, best points marked.

    One seed, the general teacher, 200 items. Finished points are read, not run again. The table of all rows is
    kept as ``selection.csv`` beside the records.

    Args:
        profile: its ``selection`` has a grid for each row: a method of the registry or a variant.
        folder: where records go; default ``data/results/PROFILE-selection``.
        names: some of these rows; by default all.

    Raises:
        ValueError: before anything runs, for a row without a grid, a point that its method refuses, or grids that do
            not all have the same number of points: methods must be tuned alike.
    """
    folder = folder or results_dir() / f"{profile.name}-selection"
    rows = list(names or profile.selection)
    _check(profile, rows)
    points = [(task, row, *p) for task in profile.tasks for row in rows for p in enumerate(grid(profile, row))]
    lines = []
    for task, row, number, point in tqdm(points, desc="selection", disable=None):
        record = _record(profile, task, row, point, folder)
        line = {"task": task, "variant": row, "point": number, **point, "value": record["value"], "n": record["n"]}
        lines.append({**line, "response_nll": record["details"]["after"]["response_nll"]})
    table = pd.DataFrame(lines)
    best = table.groupby(["task", "variant"], sort=False)["value"].transform("max")
    table["best"] = (table["value"] == best) & ~table[table["value"] == best].duplicated(["task", "variant"])
    if names is None:
        with atomic_path(folder / "selection.csv") as temporary:
            table.to_csv(temporary, index=False)
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


def _record(profile: Profile, task: str, row: str, point: dict[str, Any], folder: Path) -> dict[str, Any]:
    method = profile.method_of(row)
    settings = {**profile.settings_for(task, row, varied=False), **point, "seed": profile.seeds[0]}
    rows = training_rows(profile, task)
    models = [fingerprint_of(profile.teacher), fingerprint_of(profile.student)]
    # Points of SemAlign have no name in their key, so that rows of tables that share a point share its record.
    key = json_fingerprint([models, settings, rows, ITEMS, *([] if method.name == PAPER else [method.name])])
    path = folder / f"{task}--{key}.json"
    if path.is_file():
        return read_record(path)
    chat, tokenizer = profile.evaluation.chat, loaded_once(profile.student).tokenizer
    held_out = benchmarks.rows(task, SPLIT, ITEMS, chat=chat, tokenizer=tokenizer)
    result = method.run(
        loaded_once(profile.teacher), loaded_once(profile.student), rows, validation=held_out, task=task, **settings
    )
    batch_size = profile.evaluation.batch_size
    score = evaluate(result.model, task, split=SPLIT, limit=ITEMS, batch_size=batch_size, chat=chat)
    record = {
        **result.record,
        "metric": score.metric,
        "value": score.value,
        "n": score.n,
        "interval": [score.low, score.high],
        "losses": [],
    }
    record["configuration"] = {**record["configuration"], "split": SPLIT, "limit": ITEMS}
    write_record(path, record)
    return record
