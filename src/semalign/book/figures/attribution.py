"""Chapter 3: the attribution of the teacher's layers."""

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

MOST_NUMBERED = 12  # up to this many layers, cells show their numbers
PANELS = {"absolute": ("viridis", 0), "signed": ("vlag", -1)}  # colour map, and the lower end of its scale


def scaled(scores: pd.DataFrame, aggregation: str, interface: str = "mlp") -> pd.DataFrame:
    """Return scores as a matrix of tasks by layers, each line divided by its largest absolute value.

    Args:
        scores: one line for each ``task``, ``interface``, ``aggregation`` and ``layer``, with its ``score``.
        aggregation: ``"absolute"`` or ``"signed"``.
        interface: one of the supervision interfaces.
    """
    part = scores[(scores["interface"] == interface) & (scores["aggregation"] == aggregation)]
    matrix = part.pivot(index="task", columns="layer", values="score")
    return matrix.div(matrix.abs().max(axis=1), axis=0)


def attribution_maps(scores: pd.DataFrame) -> Figure:
    """Draw heat maps of attribution, tasks by layers, one for each aggregation; arguments as in :func:`scaled`."""
    figure, axes = plt.subplots(1, 2, figsize=(10, 2.8), sharey=True)
    for axis, (aggregation, (colours, low)) in zip(axes, PANELS.items(), strict=True):
        matrix = scaled(scores, aggregation)
        sns.heatmap(
            matrix, ax=axis, cmap=colours, vmin=low, vmax=1, annot=matrix.shape[1] <= MOST_NUMBERED, fmt=".1f",
            annot_kws={"size": 8}, cbar_kws={"shrink": 0.8},
        )  # fmt: skip
        axis.set(title=aggregation, xlabel="teacher layer", ylabel="")
    return figure
