"""The matrix of side effects: what a transfer on one task does to the held-out loss of every task."""

from pathlib import Path

import numpy as np
import pandas as pd

from semalign.book.markdown import Interval
from semalign.book.tables.paper import title
from semalign.results.records import read_records
from semalign.results.statistics import seeded_bootstrap


def side_effects(folder: Path) -> pd.DataFrame:
    """Return the change of the response NLL on each task after a transfer on one, by method, in nats per token.

    Args:
        folder: records of ``benchmarks/side_effects.py``.

    Returns:
        A line for each ``method``, task ``trained`` on and task ``measured``, with ``value``, ``low`` and ``high``: a
        95% bootstrap interval over held-out rows and seeds. It is empty without records.
    """
    columns = ["method", "trained", "measured", "value", "low", "high", "seeds"]
    if not folder.is_dir():
        return pd.DataFrame(columns=columns)
    lines, records = [], read_records(folder)
    for (method, trained), part in records.groupby(["method", "task"], sort=False):
        for measured in part["details"].iloc[0]["rises"]:
            rises = np.array([details["rises"][measured] for details in part.sort_values("seed")["details"]])
            found = seeded_bootstrap(rises, np.zeros((1, rises.shape[1])))
            lines.append([method, trained, measured, *found[:3], len(rises)])
    order = [] if records.empty else list(records["details"].iloc[0]["rises"])
    found = pd.DataFrame(lines, columns=columns).sort_values("trained", key=lambda tasks: tasks.map(order.index))
    return found.sort_values("method", key=lambda names: names.map(sorted(set(names)).index), kind="stable")


def side_effect_table(lines: pd.DataFrame) -> pd.DataFrame:
    """Return the matrix: a line for each method and task trained on, a column for each task measured.

    Bold: the interval does not contain zero.

    Args:
        lines: see :func:`side_effects`.
    """
    table = []
    for (method, trained), part in lines.groupby(["method", "trained"], sort=False):
        line = {"method": method, "trained on": title(trained)}
        for _, cell in part.iterrows():
            clear = not cell["low"] <= 0 <= cell["high"]
            numbers = cell["value"], cell["low"], cell["high"]
            line[title(cell["measured"])] = Interval(*numbers, signed=True, decimals=4, bold=clear)
        table.append(line)
    return pd.DataFrame(table)


def mean_rises(lines: pd.DataFrame) -> pd.DataFrame:
    """Return for each method the mean change on the task it was trained on, and on the others, in nats per token.

    Args:
        lines: see :func:`side_effects`.
    """
    own = lines["trained"] == lines["measured"]
    parts = {"own task": lines[own], "other tasks": lines[~own]}
    return pd.DataFrame({name: part.groupby("method", sort=False)["value"].mean() for name, part in parts.items()})
