"""Whether alignment predicts the gain: layer cosines and held-out losses of all transfers that have both."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from semalign.book.markdown import Interval
from semalign.book.tables.paper import in_order, title
from semalign.book.tables.transfers import NOT_RUN
from semalign.files import json_fingerprint
from semalign.results.records import read_record
from semalign.results.statistics import rank_correlation
from semalign.results.training import training_of

Record = Mapping[str, Any]
LEAST = 10  # settings, below which no correlation is computed
ALL = "all"
COLUMNS = ["student", "task", "map", "setting", "before", "change", "gain"]


def measured(record: Record) -> tuple[float, float, float] | None:
    """Return a run's layer cosine before, its change, and the relative fall of the NLL; None if it lacks them."""
    training = training_of(record)
    if training.layer_cosine and training.held_out:
        cosine, nll = training.layer_cosine, training.held_out
        return cosine.before, cosine.after - cosine.before, 1 - nll.after / nll.before
    before, after = (record["details"].get(when) or {} for when in ("before", "after"))
    if not {"layer_cosine", "response_nll"} <= set(before) & set(after):
        return None
    change = after["layer_cosine"] - before["layer_cosine"]
    return before["layer_cosine"], change, 1 - after["response_nll"] / before["response_nll"]


def measured_runs(paths: Iterable[Path]) -> pd.DataFrame:
    """Return all transfers whose layer term counts, a line for each setting, task and pair: means over seeds.

    Args:
        paths: run records; those of other runs are left out.
    """
    lines = []
    for record in map(read_record, paths):
        settings = record["configuration"]
        if "map" in settings and settings.get("layer_weight") and (found := measured(record)):
            made = {name: value for name, value in settings.items() if name != "seed"}
            key = json_fingerprint([record["teacher"], record["fingerprints"].get("data"), made])
            lines.append([record["student"], record["task"], settings["map"], key, *found])
    runs = pd.DataFrame(lines, columns=COLUMNS)
    return runs.groupby(COLUMNS[:4], sort=False, as_index=False).mean()


def prediction_table(runs: pd.DataFrame) -> pd.DataFrame:
    """Return Spearman's correlation of alignment with the gain: of the cosine before and of its change, by task.

    With the paper's map, each student that has settings enough stands alone too: over several students a correlation
    may come from differences between them.

    Args:
        runs: see :func:`measured_runs`.
    """
    ours = runs[runs["map"] == "semantic"]
    chosen = {("every map", ALL): runs, ("the paper's map", ALL): ours}
    chosen |= {("the paper's map", student): part for student, part in ours.groupby("student") if len(part) >= LEAST}
    table = []
    for (which, student), frame in chosen.items():
        ordered = frame.sort_values("task", key=in_order, kind="stable")
        for task, part in [*ordered.groupby("task", sort=False), (ALL, frame)]:
            line = {"maps": which, "student": student, "data": title(str(task)), "settings": str(len(part))}
            for column, name in (("before", "cosine before"), ("change", "change of the cosine")):
                line[name] = _correlation(part, column)
            table.append(line)
    return pd.DataFrame(table)


def _correlation(part: pd.DataFrame, column: str) -> Any:
    if part[column].nunique() < LEAST:
        return NOT_RUN
    return Interval(*rank_correlation(part[column].to_numpy(), part["gain"].to_numpy()), signed=True, decimals=2)
