"""Chapter 3: the attribution of the teacher's layers."""

from functools import partial
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure

from semalign.book.stacked import WIDTH, in_two_forms
from semalign.book.tables.paper import in_order, title

MOST_NUMBERED = 12  # up to this many layers, cells show their numbers
NARROW_NAMES = 9.5  # points: four benchmarks beside each other on a phone
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
    return in_two_forms(partial(_maps, scaled(scores, "absolute"), scaled(scores, "signed")))


def _maps(absolute: pd.DataFrame, signed: pd.DataFrame, narrow: bool) -> Figure:
    """Draw both maps; in the narrow form layers are the rows, so that a column has room for a number."""
    lowest = absolute[absolute > 0].min().min()
    if narrow:
        absolute, signed = absolute.T, signed.T
    size = (WIDTH, 2.6 + 0.46 * len(absolute)) if narrow else (7, 1.8 + 0.7 * len(absolute))
    figure, axes = plt.subplots(2, 1, figsize=size, sharex=not narrow, gridspec_kw={"hspace": 0.08})
    _heat_map(axes[0], absolute, "absolute, logarithmic scale", "viridis", LogNorm(lowest, 1), narrow)
    _heat_map(axes[1], signed, "signed", "vlag", Normalize(-1, 1), narrow)
    for axis in axes if narrow else axes[1:]:
        axis.set(**{"ylabel" if narrow else "xlabel": "teacher layer"})
    return figure


def _heat_map(axis: Axes, matrix: pd.DataFrame, name: str, colours: str, norm: Normalize, narrow: bool) -> None:
    numbered = matrix.shape[0 if narrow else 1] <= MOST_NUMBERED
    bar: dict[str, Any] = {"ticks": TICKS, "format": "%g"} if isinstance(norm, LogNorm) else {}
    if narrow:
        bar |= {"location": "bottom", "aspect": 40}
    sns.heatmap(
        matrix, ax=axis, cmap=colours, norm=norm, annot=numbered, fmt=".2f", annot_kws={"size": 11}, cbar_kws=bar
    )
    for number in axis.texts:
        number.set_text(number.get_text().replace("-", "−"))  # as on the axes
    axis.set(title=name, xlabel="", ylabel="")
    axis.tick_params(axis="y", rotation=0)
    if narrow:
        axis.tick_params(axis="x", rotation=0, labelsize=NARROW_NAMES)
