"""Figures of the ablations: what each value of a factor does to the held-out loss; alignment before against gain."""

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from semalign.book.figures.course import not_run
from semalign.book.figures.scores import MARKERS, errors
from semalign.book.tables.ablations import changes
from semalign.book.tables.paper import title
from semalign.experiments.profiles import Profile

LINEAR = 0.01  # nats, around zero; beyond it the axis is logarithmic
LINEAR_GAIN = 0.1  # the same for a relative fall


def factor_effects(profile: Profile, lines: pd.DataFrame, factor: str) -> Figure:
    """Draw the change of the held-out loss for each value of a factor, a panel for each base, a marker for each task.

    A task of which nothing was run has no marker.

    Args:
        profile: the profile.
        lines: see :func:`semalign.book.tables.ablations.ablation_data`.
        factor: the factor.
    """
    asked = [change for change in changes(profile) if change.factor == factor]
    values, bases = (list(dict.fromkeys(getattr(change, of) for change in asked)) for of in ("value", "base"))
    tasks = [task for task in profile.tasks if (lines["task"] == task).any()] or list(profile.tasks)
    size = (2.1 + 1.9 * len(bases), 1.5 + 0.3 * max(len(values), 3))
    figure, axes = plt.subplots(1, len(bases), figsize=size, sharey=True, squeeze=False)
    for axis, base in zip(axes[0], bases, strict=True):
        if lines[(lines["factor"] == factor) & (lines["base"] == base)].empty:
            not_run(axis)
        for i, task in enumerate(tasks):
            chosen = (lines["factor"] == factor) & (lines["base"] == base) & (lines["task"] == task)
            part = lines[chosen].set_index("value").reindex(values)
            places = [place + 0.24 * (i - (len(tasks) - 1) / 2) for place in range(len(values))]
            style = {"fmt": MARKERS[i], "color": sns.color_palette("colorblind")[i], "ms": 5, "capsize": 2}
            axis.errorbar(part["difference"], places, xerr=errors(part, "difference"), label=title(task), **style)
        axis.axvline(0, color="0.5", lw=1)
        axis.set(title=base, xlabel="change of NLL")
        axis.set_xscale("symlog", linthresh=LINEAR)
        axis.xaxis.set_major_formatter("{x:g}")
        axis.tick_params(axis="x", labelrotation=60)
    axes[0, 0].set_yticks(range(len(values)), values)
    axes[0, 0].invert_yaxis()
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=len(tasks))
    return figure


def critical_places(scores: pd.DataFrame) -> Figure:
    """Draw the critical teacher layer of each way to attribute: a panel for each task, a marker for each granularity.

    Args:
        scores: see :func:`semalign.book.tables.analyses.recorded_scores`.
    """
    keys = ["task", "method", "aggregation", "interface"]
    found = scores.loc[scores.groupby(keys, sort=False)["score"].idxmax()]
    ways = found["method"] + ", " + found["aggregation"]
    names, granularities, tasks = (list(dict.fromkeys(column)) for column in (ways, found["interface"], found["task"]))
    figure, axes = plt.subplots(1, len(tasks), figsize=(7.4, 1.6 + 0.55 * len(names)), sharey=True, squeeze=False)
    for axis, task in zip(axes[0], tasks, strict=True):
        for i, granularity in enumerate(granularities):
            here = (found["task"] == task) & (found["interface"] == granularity)
            places = [names.index(way) + 0.15 * (i - (len(granularities) - 1) / 2) for way in ways[here]]
            style = {"color": sns.color_palette("colorblind")[i], "ms": 6, "label": granularity}
            axis.plot(found["layer"][here], places, MARKERS[i], **style)
        axis.set(title=title(task), xlabel="critical teacher layer", xlim=(0.5, scores["layer"].max() + 0.5))
        axis.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes[0, 0].set_yticks(range(len(names)), names)
    axes[0, 0].invert_yaxis()
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=len(granularities))
    return figure


def gain_over_alignment(runs: pd.DataFrame) -> Figure:
    """Draw the relative fall of the held-out loss over the layer cosine before training, a panel for each task.

    Args:
        runs: see :func:`semalign.book.tables.prediction.measured_runs`.
    """
    tasks = list(dict.fromkeys(runs["task"]))
    height = -(-max(1, len(tasks)) // 2)
    figure, axes = plt.subplots(height, 2, figsize=(7, 0.8 + 2.8 * height), squeeze=False)
    colours = sns.color_palette("colorblind")
    for axis in axes.flat[len(tasks) :]:
        axis.set_visible(False)
    for axis, task in zip(axes.flat, tasks, strict=False):
        for i, (student, part) in enumerate(runs.groupby("student", sort=True)):
            here = part[part["task"] == task]
            axis.plot(here["before"], here["gain"], MARKERS[i], color=colours[i], ms=4, alpha=0.7, label=student)
        axis.axhline(0, color="0.5", lw=1)
        axis.set(title=title(task), xlabel="layer cosine before")
        axis.set_yscale("symlog", linthresh=LINEAR_GAIN)
        axis.yaxis.set_major_formatter("{x:g}")
        axis.set_ylim(min(axis.get_ylim()[0], -LINEAR_GAIN), max(axis.get_ylim()[1], LINEAR_GAIN))
    for axis in axes[:, 0]:
        axis.set_ylabel("relative fall of NLL")
    handles = axes[0, 0].get_legend_handles_labels()
    if handles[0]:
        figure.legend(*handles, loc="outside lower center", ncols=2)
    return figure
