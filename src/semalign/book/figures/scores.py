"""Figures of Chapters 8 and 10: scores of methods with their intervals, and differences."""

from collections.abc import Sequence
from functools import partial

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.axis import Axis
from matplotlib.figure import Figure

from semalign.book.stacked import WIDTH, in_two_forms
from semalign.book.tables.controls import AS_IT_IS
from semalign.book.tables.paper import title
from semalign.book.tables.transfers import NAMES, transfer_entries
from semalign.data.task_file import task_name
from semalign.experiments.cells import entries_of
from semalign.experiments.profiles import Profile
from semalign.results.records import NONE

MARKERS = "osD^vP*Xd<>"


def errors(lines: pd.DataFrame, value: str = "value") -> list[pd.Series]:
    """Return the distances from a value to both ends of its interval, in matplotlib's format."""
    return [(lines[value] - lines["low"]).clip(lower=0), (lines["high"] - lines[value]).clip(lower=0)]


def gap_to_teacher(profile: Profile, scores: pd.DataFrame) -> Figure:
    """Draw the scores of student, transfers and general teacher on each task.

    Args:
        profile: the profile.
        scores: see :func:`semalign.experiments.runs.summary`.
    """
    models = {(NONE, profile.student): "student", (NONE, profile.teacher): "teacher"}
    drawn = scores[scores["teacher"].isna() | (scores["teacher"] == profile.teacher)].copy()
    pairs = zip(drawn["method"], drawn["student"], strict=True)
    drawn["model"] = [models.get(pair, NAMES.get(pair[0], pair[0])) for pair in pairs]
    order = [
        name
        for name in ("student", *(NAMES.get(each, each) for each in transfer_entries(profile)), "teacher")
        if name in set(drawn["model"])
    ]
    return in_two_forms(partial(_gap, drawn, order, list(map(task_name, profile.tasks))))


def _gap(drawn: pd.DataFrame, order: Sequence[str], tasks: Sequence[str], narrow: bool) -> Figure:
    """Draw a group of points for each task: from left to right, in the narrow form from top to bottom."""
    figure, axis = plt.subplots(figsize=(WIDTH, 0.9 + 1.3 * len(tasks)) if narrow else (7, 4.6))
    for i, (name, colour) in enumerate(zip(order, sns.color_palette("colorblind", len(order)), strict=True)):
        part = drawn[drawn["model"] == name].set_index("task").reindex(tasks)
        places = [j + 0.8 / len(order) * (i - (len(order) - 1) / 2) for j in range(len(part))]
        style = {"fmt": MARKERS[i % len(MARKERS)], "color": colour, "label": name, "capsize": 3}
        if narrow:
            axis.errorbar(part["value"], places, xerr=errors(part), **style)
        else:
            axis.errorbar(places, part["value"], yerr=errors(part), **style)
    along, across = (axis.yaxis, axis.xaxis) if narrow else (axis.xaxis, axis.yaxis)
    _name_groups(along, [title(task) for task in tasks])
    across.axes.set(**{"xlim" if narrow else "ylim": (0, 100), "xlabel" if narrow else "ylabel": "score (%)"})
    if narrow:
        axis.invert_yaxis()
    figure.legend(ncols=2 if narrow else 3, loc="outside upper center")
    return figure


def _name_groups(axis: Axis, names: Sequence[str]) -> None:
    """Name groups that are one apart, with a line between two of them rather than through them."""
    axis.set_ticks(range(len(names)), names)
    axis.grid(visible=False)
    axis.set_ticks([place + 0.5 for place in range(len(names) - 1)], minor=True)
    axis.grid(visible=True, which="minor")


def differences(profile: Profile, lines: pd.DataFrame) -> Figure:
    """Draw "SemAlign minus X" from the general teacher, one panel for each task.

    Args:
        profile: the profile.
        lines: see :func:`semalign.results.comparisons.differences`.
    """
    drawn = lines[lines["teacher"] == profile.teacher].replace({"minus": {NONE: AS_IT_IS}})
    order = [name for name in [AS_IT_IS, *entries_of(profile, ["all"])] if name in set(drawn["minus"])]
    size = (7.2, 0.9 + 0.27 * max(len(order), 4))
    figure, axes = plt.subplots(1, len(profile.tasks), figsize=size, sharey=True, squeeze=False)
    for axis, task in zip(axes[0], profile.tasks, strict=True):
        part = drawn[drawn["task"] == task_name(task)].set_index("minus").reindex(order)
        axis.errorbar(part["difference"], range(len(order)), xerr=errors(part, "difference"), fmt="o", ms=4, capsize=2)
        axis.axvline(0, color="0.3", lw=1)
        axis.set(title=title(task), xlabel="points")
    axes[0, 0].set_yticks(range(len(order)), order)
    axes[0, 0].invert_yaxis()
    return figure
