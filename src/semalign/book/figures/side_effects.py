"""A figure of side effects: what each method does on the task that it was trained on, and on the others."""

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from semalign.book.figures.scores import MARKERS
from semalign.book.tables.controls import label

LINEAR = 0.01  # nats, around zero; beyond it the axis is logarithmic


def side_effects(losses: pd.DataFrame, scores: pd.DataFrame) -> Figure:
    """Draw mean changes of loss and score, a panel each: a line for each method, a marker for own and other tasks.

    Args:
        losses: see :func:`semalign.book.tables.side_effects.mean_rises`; in nats per token.
        scores: the same of scores, in points.
    """
    names = [label(str(name)) for name in losses.index]
    figure, axes = plt.subplots(1, 2, figsize=(7.2, 1.5 + 0.22 * len(names)), sharey=True)
    for axis, means, what in zip(axes, (losses, scores), ("NLL", "score, points"), strict=True):
        for i, where in enumerate(("own task", "other tasks")):
            style = {"color": sns.color_palette("colorblind")[i], "ms": 5, "label": where}
            axis.plot(means[where].reindex(losses.index), range(len(names)), MARKERS[i], **style)
        axis.axvline(0, color="0.5", lw=1)
        axis.set(xlabel=f"mean change of {what}")
        axis.grid(axis="y", color="0.9")
    axes[0].set_xscale("symlog", linthresh=LINEAR)
    axes[0].margins(x=0.1)
    axes[0].xaxis.set_major_formatter("{x:g}")
    axes[0].tick_params(axis="x", labelrotation=60)
    axes[0].set_yticks(range(len(names)), names)
    axes[0].invert_yaxis()
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure
