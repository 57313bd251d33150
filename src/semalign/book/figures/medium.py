"""A figure of what moves between the models and what a transfer computes (Appendix D.1)."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from semalign.book.figures.scores import MARKERS

UNITS = {", MB": ("bytes", 1e6, "B"), ", GFLOP": ("operations", 1e9, "")}  # ending of a column, what, factor, unit


def sizes_and_operations(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw sizes and operations on logarithmic axes: a row of panels for each table, a marker for each column.

    Args:
        tables: by what they are called, see :func:`semalign.book.tables.medium.medium_table`.
    """
    figure, axes = plt.subplots(len(tables), 2, figsize=(7.2, 1.1 + 1.9 * len(tables)), squeeze=False)
    for (called, table), panels in zip(tables.items(), axes, strict=True):
        for axis, (ending, (what, factor, unit)) in zip(panels, UNITS.items(), strict=True):
            for i, column in enumerate(sorted(table.filter(like=ending), key=_targets_first)):
                style = {"color": sns.color_palette("colorblind")[i], "ms": 6, "label": column.removesuffix(ending)}
                axis.plot(factor * table[column], range(len(table)), MARKERS[i], **style)
            axis.set(title=called, xlabel=what, xscale="log")
            axis.xaxis.set_major_formatter(EngFormatter(unit))
            axis.set_yticks(range(len(table)), table["data"])  # in each panel, since they stand alone on a phone
            axis.set_ylim(len(table) - 0.5, -0.5)
            axis.grid(axis="y", color="0.9")
    for axis in axes[-1]:
        axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.35), ncols=2)
    return figure


def _targets_first(column: str) -> bool:
    """Give targets, which both panels have, the same marker in both."""
    return not column.startswith("targets")
