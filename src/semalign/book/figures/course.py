"""Figures of trainings: measurements over the steps, and the change of the NLL over all student layers."""

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import cycle
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from semalign.analysis.diagnosis.pictures import NAMES
from semalign.book.figures.decomposition import PLACES
from semalign.book.figures.scores import MARKERS
from semalign.book.stacked import WIDTH, in_two_forms
from semalign.book.tables.paper import title

MEASURED = {"score": "score (%)", "response_nll": "held-out NLL", "layer_cosine": "layer cosine"}


def not_run(axis: Axes) -> None:
    """Write into an empty panel that nothing was run for it."""
    axis.text(0.5, 0.5, "not run", ha="center", va="center", transform=axis.transAxes)


def without_records() -> Figure:
    """Draw a note that takes the place of a figure without any record."""
    figure, axis = plt.subplots(figsize=(4.6, 0.6))
    axis.set_axis_off()
    not_run(axis)
    return figure


def curves(points: pd.DataFrame) -> Figure:
    """Draw score, NLL and layer cosine over the steps, means over seeds; a row for each task, a line for each entry.

    Args:
        points: see :func:`semalign.experiments.curves.points`.
    """
    if points.empty:
        return without_records()
    tasks, entries = list(dict.fromkeys(points["task"])), list(dict.fromkeys(points["method"]))
    size = (7.2, 1.4 + 2.5 * len(tasks))
    figure, axes = plt.subplots(len(tasks), len(MEASURED), figsize=size, squeeze=False, sharex=True)
    colours = sns.color_palette("colorblind", len(entries))
    for row, task in zip(axes, tasks, strict=True):
        for axis, (measure, label) in zip(row, MEASURED.items(), strict=True):
            drawn = points[points["task"] == task].dropna(subset=[measure])
            for entry, colour, marker in zip(entries, colours, cycle(MARKERS), strict=False):
                line = drawn[drawn["method"] == entry].groupby("step")[measure].mean()
                axis.plot(line.index, line, marker=marker, ms=4, color=colour, label=entry)
            if drawn.empty:
                not_run(axis)
            axis.set_title(f"{title(task)}, {label}")
    for axis in axes[-1]:
        axis.set_xlabel("steps")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure


def nll_by_layer(lines: pd.DataFrame, tasks: Sequence[str], interfaces: Sequence[str]) -> Figure:
    """Draw the change of the held-out NLL as a heat map: a row for each map, a column for each student layer.

    There is a panel for each task and interface of which something was run. Those of a task have one scale of colours,
    symmetric around zero. On a phone the maps are the columns.

    Args:
        lines: see :func:`semalign.experiments.sweep.table`.
        tasks: the tasks.
        interfaces: the interfaces.
    """
    if lines.empty:
        return without_records()
    change = lines.assign(change=lines["nll_after"] - lines["nll_before"])
    run = set(zip(lines["task"], lines["interface"], strict=True))
    panels = [(task, interface) for task in tasks for interface in interfaces if (task, interface) in run]
    return in_two_forms(partial(_heat_maps, change, panels))


def _heat_maps(change: pd.DataFrame, panels: Sequence[tuple[str, str]], narrow: bool) -> Figure:
    """Draw a heat map for each task and interface."""
    largest = change["change"].abs().groupby(change["task"]).max()
    size = (WIDTH, 4.2 * len(panels)) if narrow else (7.2, 2.5 * len(panels))
    figure, axes = plt.subplots(len(panels), 1, figsize=size, squeeze=False)
    look: Mapping[str, Any] = {"cmap": "vlag", "annot": True, "fmt": "+.3f", "cbar": False}
    for axis, (task, interface) in zip(axes.flat, panels, strict=True):
        part = change[(change["task"] == task) & (change["interface"] == interface)]
        grid = part.pivot_table(index="map", columns="student_layer", values="change")
        grid = grid.reindex([name for name in NAMES if name in grid.index]).rename(index=NAMES)
        sns.heatmap(grid.T if narrow else grid, ax=axis, vmin=-largest[task], vmax=largest[task], **look)
        axis.set(title=f"{title(task)}, {PLACES.get(interface, interface)}", ylabel="", xlabel="")
        if narrow:
            axis.set_ylabel("student layer")
            axis.tick_params(axis="x", rotation=40)
            axis.tick_params(axis="y", rotation=0)
    if not narrow:
        axes.flat[-1].set_xlabel("student layer")
    return figure
