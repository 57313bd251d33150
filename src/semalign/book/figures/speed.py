"""The figure of speed: how many times faster each step is than its peer."""

from collections.abc import Sequence
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from semalign.book.figures.scores import errors
from semalign.book.stacked import WIDTH, in_two_forms


def ratios(data: pd.DataFrame) -> Figure:
    """Draw the ratio of each step at its largest size, with its spread, on a log scale, and the ratio to reach.

    Args:
        data: see :func:`semalign.book.tables.speed.speed_data`.
    """
    last = data.groupby(["step", "run"], sort=False).tail(1)
    order = list(last.groupby("step")["ratio"].median().sort_values().index)
    return in_two_forms(partial(_ratios, last, order))


def _ratios(last: pd.DataFrame, order: Sequence[str], narrow: bool) -> Figure:
    """Draw a line for each step: its name is beside it, in the narrow form above it."""
    around = 0.25 if narrow else 0.5  # of a line, what the mark at 1 takes on either side
    size = (WIDTH, 0.9 + 0.46 * len(order)) if narrow else (7, 0.8 + 0.34 * len(order))
    figure, axis = plt.subplots(figsize=size)
    for run, part in last.groupby("run"):
        lines = part.set_index("step").reindex(order)
        places = [place + 0.16 * (int(run) - 1) for place in range(len(order))]
        axis.errorbar(lines["ratio"], places, xerr=errors(lines, "ratio"), fmt="o", ms=5, capsize=3, label=f"run {run}")
    reach = last.groupby("step")["reach"].first().reindex(order)
    axis.plot(reach, range(len(order)), "|", ms=14, mew=2, color="0.5", label="to reach")
    axis.vlines(np.ones(len(order)), np.arange(len(order)) - around, np.arange(len(order)) + around, "0.5", lw=1)
    axis.set(xscale="log", xlabel="times faster than the peer")
    axis.xaxis.set_major_formatter("{x:g}")
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.set_yticks(range(len(order)), [""] * len(order) if narrow else order)
    if narrow:
        _name_above(axis, order)
        figure.legend(loc="outside upper center", ncols=3, columnspacing=1)
    else:
        axis.legend(loc="lower right")
    return figure


def _name_above(axis: Axes, names: Sequence[str]) -> None:
    """Write the name of each line above its left end, where nothing crosses it."""
    axis.grid(axis="x", visible=False)
    axis.set_ylim(-0.6, len(names) - 0.1)
    for place, name in enumerate(names):
        axis.text(0.01, place + 0.25, name, transform=axis.get_yaxis_transform(), va="bottom")
