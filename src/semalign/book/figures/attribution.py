"""Chapter 3: the attribution of the teacher's layers."""

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure

from semalign.book.tables.paper import in_order, title

MOST_NUMBERED = 12  # up to this many layers, cells show their numbers
TICKS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1]  # of the logarithmic scale


def scaled(scores: pd.DataFrame, aggregation: str, interface: str = "mlp") -> pd.DataFrame:
    """Return scores as a matrix of benchmarks by layers, each line divided by its largest absolute value.

    Args:
        scores: one line for each ``task``, ``interface``, ``aggregation`` and ``layer``, with its ``score``.
        aggregation: ``"absolute"`` or ``"signed"``.
        interface: one of the supervision interfaces.
    """
    part = scores[(scores["interface"] == interface) & (scores["aggregation"] == aggregation)]
    matrix = part.pivot(index="task", columns="layer", values="score").sort_index(key=in_order).rename(index=title)
    return matrix.div(matrix.abs().max(axis=1), axis=0)


def attribution_maps(scores: pd.DataFrame) -> Figure:
    """Draw heat maps of attribution, tasks by layers, one for each aggregation; arguments as in :func:`scaled`.

    Absolute attribution has a logarithmic scale, since one layer may be far above the others.
    """
    absolute, signed = scaled(scores, "absolute"), scaled(scores, "signed")
    figure, axes = plt.subplots(2, 1, figsize=(7, 1.8 + 0.7 * len(absolute)), sharex=True)
    lowest = absolute[absolute > 0].min().min()
    _heat_map(axes[0], absolute, "absolute, logarithmic scale", "viridis", LogNorm(lowest, 1))
    _heat_map(axes[1], signed, "signed", "vlag", Normalize(-1, 1))
    axes[1].set_xlabel("teacher layer")
    return figure


def _heat_map(axis: Axes, matrix: pd.DataFrame, name: str, colours: str, norm: Normalize) -> None:
    numbered = matrix.shape[1] <= MOST_NUMBERED
    ticks = {"ticks": TICKS, "format": "%g"} if isinstance(norm, LogNorm) else {}
    sns.heatmap(
        matrix, ax=axis, cmap=colours, norm=norm, annot=numbered, fmt=".2f", annot_kws={"size": 11}, cbar_kws=ticks
    )
    axis.set(title=name, xlabel="", ylabel="")
    axis.tick_params(axis="y", rotation=0)
