"""Matrices of side effects: what a transfer on one task does to the held-out loss and to the score of every task."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from semalign.book.markdown import Interval
from semalign.book.tables.controls import label
from semalign.book.tables.paper import title
from semalign.book.tables.transfers import NAMES
from semalign.results.records import read_records
from semalign.results.resampling import seeded_bootstrap


class Measure(NamedTuple):
    """What a matrix of side effects shows.

    Attributes:
        key: entry of a record's ``details`` with the change of every row or item, by task.
        factor: what the changes are multiplied by.
        decimals: how many the table shows.
    """

    key: str
    factor: float
    decimals: int


LOSS = Measure("rises", 1.0, 4)  # of the response NLL, in nats per token
SCORE = Measure("gains", 100.0, 1)  # of the score on the test items, in points


def side_effects(folder: Path, measure: Measure = LOSS) -> pd.DataFrame:
    """Return the change on each task after a transfer on one, by method.

    Args:
        folder: records of ``benchmarks/side_effects.py``.
        measure: of the loss or of the score; records without it are left out.

    Returns:
        A line for each ``method``, task ``trained`` on and task ``measured``, with ``value``, ``low`` and ``high``: a
        95% bootstrap interval over rows or items and seeds, and ``weights``: the mean change of the trained weights as
        a share of their norm. It is empty without records.
    """
    columns = ["method", "trained", "measured", "value", "low", "high", "seeds", "weights"]
    records = read_records(folder) if folder.is_dir() else pd.DataFrame()
    records = records[[measure.key in details for details in records["details"]]] if len(records) else records
    if records.empty:
        return pd.DataFrame(columns=columns)
    lines = []
    for (method, trained), part in records.groupby(["method", "task"], sort=False):
        weights = np.mean([details["weight_change"] for details in part["details"]])
        for measured in part["details"].iloc[0][measure.key]:
            changes = np.array([details[measure.key][measured] for details in part.sort_values("seed")["details"]])
            found = seeded_bootstrap(measure.factor * changes, np.zeros((1, changes.shape[1])))
            lines.append([method, trained, measured, *found[:3], len(changes), weights])
    order = list(records["details"].iloc[0][measure.key])
    found = pd.DataFrame(lines, columns=columns).sort_values("trained", key=lambda tasks: tasks.map(order.index))
    return found.sort_values("method", key=_place, kind="stable")


def _place(methods: pd.Series) -> pd.Series:
    """Return sort keys: the paper's methods in its order, then the others by name."""
    names = [*NAMES, *sorted(set(methods) - set(NAMES))]
    return methods.map(names.index)


def side_effect_table(lines: pd.DataFrame, measure: Measure = LOSS) -> pd.DataFrame:
    """Return the matrix: a line for each method and task trained on, a column for each task measured.

    Bold: the interval does not contain zero.

    Args:
        lines: see :func:`side_effects`.
        measure: what they are of.
    """
    table = []
    for (method, trained), part in lines.groupby(["method", "trained"], sort=False):
        line: dict[str, Any] = {"method": label(str(method)), "trained on": title(str(trained))}
        for _, cell in part.iterrows():
            clear = not cell["low"] <= 0 <= cell["high"]
            numbers = cell["value"], cell["low"], cell["high"]
            line[title(cell["measured"])] = Interval(*numbers, signed=True, decimals=measure.decimals, bold=clear)
        table.append(line)
    return pd.DataFrame(table)


def mean_rises(lines: pd.DataFrame) -> pd.DataFrame:
    """Return for each method the mean change on the task it was trained on, and on the others, in the lines' unit.

    ``trained`` is the number of tasks that it was trained on, ``weights`` the mean change of the weights by them.

    Args:
        lines: see :func:`side_effects`.
    """
    own = lines["trained"] == lines["measured"]
    parts = {"own task": lines[own], "other tasks": lines[~own]}
    found = {name: part.groupby("method", sort=False)["value"].mean() for name, part in parts.items()}
    by_method = lines.groupby("method", sort=False)
    return pd.DataFrame({**found, "trained": by_method["trained"].nunique(), "weights": by_method["weights"].mean()})


def mean_table(losses: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """Return a line for each method: the mean changes of weights, and of loss and score on its own and on other tasks.

    Args:
        losses: lines of :func:`side_effects`.
        scores: the same, of scores.
    """
    parts = {"loss": mean_rises(losses), "score": mean_rises(scores)}
    wide = pd.concat({name: part[["own task", "other tasks"]] for name, part in parts.items()}, axis=1)
    wide = wide.reindex(parts["loss"].index)
    decimals = {"loss": LOSS.decimals, "score": SCORE.decimals}
    weights = [f"{100 * value:.2f}" for value in parts["loss"]["weights"]]
    table = pd.DataFrame({"method": wide.index.map(label), "weights, %": weights})
    for what, where in wide.columns:
        shown = [Interval(value, signed=True, decimals=decimals[what]) for value in wide[what, where]]
        table[f"{what}, {where}"] = shown
    return table
