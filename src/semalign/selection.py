"""Hyperparameters chosen on validation data: a grid for each variant and task, every point a record, the best kept."""

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from semalign import benchmarks
from semalign.evaluation import evaluate
from semalign.experiments import fingerprint_of, loaded_once
from semalign.files import atomic_path, json_fingerprint
from semalign.paths import results_dir
from semalign.pipeline import transfer
from semalign.profiles import Profile
from semalign.records import read_record, write_record

SPLIT = "validation"
ITEMS = 200  # validation items that a grid point is scored on


def grid(profile: Profile, variant: str) -> Iterator[dict[str, Any]]:
    """Yield the points of a variant's grid, the product of the lists that the profile gives."""
    choices = profile.selection[variant]
    for values in product(*choices.values()):
        yield dict(zip(choices, values, strict=True))


def select(profile: Profile, folder: Path | None = None) -> pd.DataFrame:
    """Score every grid point of every variant and task on validation data and return the table, best points marked.

    One seed, the general teacher, 200 items. Finished points are read, not run again. The table is
    kept as ``selection.csv`` beside the records.
    """
    folder = folder or results_dir() / f"{profile.name}-selection"
    points = [(task, v, point) for task in profile.tasks for v in profile.selection for point in grid(profile, v)]
    lines = []
    for task, variant, point in tqdm(points, desc="selection", disable=None):
        record = _record(profile, task, point, folder)
        line = {"task": task, "variant": variant, **point, "value": record["value"], "n": record["n"]}
        lines.append({**line, "response_nll": record["details"]["after"]["response_nll"]})
    table = pd.DataFrame(lines)
    best = table.groupby(["task", "variant"], sort=False)["value"].transform("max")
    table["best"] = (table["value"] == best) & ~table[table["value"] == best].duplicated(["task", "variant"])
    with atomic_path(folder / "selection.csv") as temporary:
        table.to_csv(temporary, index=False)
    return table


def chosen(profile: Profile, table: pd.DataFrame) -> dict[str, dict[str, dict[str, Any]]]:
    """Return the best points in the form of a profile's ``variants``."""
    variants: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in profile.selection}
    for _, line in table[table["best"]].iterrows():
        keys = profile.selection[line["variant"]]
        variants[line["variant"]][line["task"]] = {key: _plain(line[key]) for key in keys}
    return variants


def _record(profile: Profile, task: str, point: dict[str, Any], folder: Path) -> dict[str, Any]:
    settings = {**profile.settings_for(task), **point, "seed": profile.seeds[0]}
    rows = benchmarks.rows(task, "train", profile.tasks[task].train_size)
    models = [fingerprint_of(profile.teacher), fingerprint_of(profile.student)]
    key = json_fingerprint([models, settings, rows, ITEMS])
    path = folder / f"{task}--{key}.json"
    if path.is_file():
        return read_record(path)
    held_out = benchmarks.rows(task, SPLIT, ITEMS)
    result = transfer(
        loaded_once(profile.teacher), loaded_once(profile.student), rows, validation=held_out, task=task, **settings
    )
    score = evaluate(result.model, task, split=SPLIT, limit=ITEMS, batch_size=profile.evaluation.batch_size)
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


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value
