"""Figure of Chapter 8: what trainings did to the score, over what they did to the weights."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from semalign.book.figures.course import not_run
from semalign.book.tables.paper import title
from semalign.data.task_file import task_name

KINDS = {"method": "o", "control": "s", "baseline": "^"}


def score_over_change(points: pd.DataFrame, tasks: Sequence[str]) -> Figure:
    """Draw the change of the score against the student over the change of the weights, a panel for each task.

    Args:
        points: a line for each entry with ``task``, ``profile`` (the colour), ``kind`` of method (the marker),
            ``weight_change`` as a share and ``gain`` in points.
        tasks: the panels.
    """
    rows = -(-len(tasks) // 2)
    figure, axes = plt.subplots(rows, 2, figsize=(7.2, 3.1 * rows + 0.7), squeeze=False, sharex=True)
    drawn = points.assign(percent=100 * points["weight_change"]).dropna(subset=["percent", "gain"])
    names = list(dict.fromkeys(points["profile"]))
    colours = dict(zip(names, sns.color_palette("colorblind", len(names)), strict=True))
    for axis, task in zip(axes.flat, tasks, strict=False):
        part = drawn[drawn["task"] == task_name(task)]
        axis.axhline(0, color="0.5", lw=1)
        axis.set(title=title(task), xlabel="change of weights (%)", ylabel="score minus student's")
        if part.empty:
            not_run(axis)
            continue
        sns.scatterplot(
            part, x="percent", y="gain", hue="profile", hue_order=names, palette=colours, style="kind",
            style_order=list(KINDS), markers=KINDS, s=45, ax=axis, legend=False,
        )  # fmt: skip
        axis.set(xscale="log")
        axis.xaxis.set_major_formatter("{x:g}")
    for axis in axes.flat[len(tasks) :]:
        axis.set_visible(False)
    handles = [plt.Line2D([], [], ls="", marker="o", color=colour, label=name) for name, colour in colours.items()]
    handles += [plt.Line2D([], [], ls="", marker=marker, color="0.5", label=kind) for kind, marker in KINDS.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure
