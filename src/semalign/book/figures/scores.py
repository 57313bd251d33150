"""Figures of Chapters 8 and 9: scores of methods with their intervals, differences, and scores over costs."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy import ndarray

from semalign.book.figures.course import without_records
from semalign.book.tables.controls import AS_IT_IS
from semalign.book.tables.paper import title
from semalign.book.tables.transfers import NAMES, transfer_entries
from semalign.experiments.cells import entries_of
from semalign.experiments.profiles import Profile
from semalign.results.records import NONE

MARKERS = "osD^vP*Xd<>"
POINTS = 72  # of an inch
ROOM = 13.0  # points between the middles of two numbers


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
    figure, axis = plt.subplots(figsize=(7, 4.6))
    for i, (name, colour) in enumerate(zip(order, sns.color_palette("colorblind", len(order)), strict=True)):
        part = drawn[drawn["model"] == name].set_index("task").reindex(list(profile.tasks))
        x = [j + 0.8 / len(order) * (i - (len(order) - 1) / 2) for j in range(len(part))]
        axis.errorbar(
            x, part["value"], yerr=errors(part), fmt=MARKERS[i % len(MARKERS)], color=colour, label=name, capsize=3
        )
    axis.set_xticks(range(len(profile.tasks)), [title(task) for task in profile.tasks])
    axis.set(ylabel="score (%)", ylim=(0, 100))
    axis.legend(ncol=4, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return figure


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
        part = drawn[drawn["task"] == task].set_index("minus").reindex(order)
        axis.errorbar(part["difference"], range(len(order)), xerr=errors(part, "difference"), fmt="o", ms=4, capsize=2)
        axis.axvline(0, color="0.3", lw=1)
        axis.set(title=title(task), xlabel="points")
    axes[0, 0].set_yticks(range(len(order)), order)
    axes[0, 0].invert_yaxis()
    return figure


def score_over_cost(costs: pd.DataFrame) -> Figure:
    """Draw scores over seconds and over memory, numbered as in the table; without costs, draw a note.

    Args:
        costs: see :func:`semalign.book.tables.costs.cost_data`.
    """
    if costs.empty:
        return without_records()
    figure, axes = plt.subplots(2, 1, figsize=(7, 8))
    for axis, column, name in zip(axes, ("seconds", "memory"), ("seconds", "peak memory (MiB)"), strict=True):
        _points(axis, costs, column)
        _numbers(figure, axis, costs, column)
        axis.set(xlabel=name, ylabel=f"score on {title(costs['task'].iloc[0])} (%)")
    axes[0].legend(ncol=4, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return figure


def _points(axis: Axes, costs: pd.DataFrame, column: str) -> None:
    """Draw the scores over one kind of cost, with a colour and marker for each kind of method."""
    colours: Sequence[tuple[float, float, float]] = sns.color_palette("colorblind")
    for (kind, part), colour, marker in zip(costs.groupby("kind", sort=False), colours, MARKERS, strict=False):
        part = part[part["value"].notna()]
        axis.errorbar(
            part[column], part["value"], yerr=errors(part), fmt=marker, color=colour, label=kind, capsize=2, ms=5
        )


def _numbers(figure: Figure, axis: Axes, costs: pd.DataFrame, column: str) -> None:
    """Write the number of each line beside its point, where no other point or number is."""
    figure.canvas.draw()  # sets the limits of the axes, on which distances depend
    numbered = costs.assign(number=range(1, len(costs) + 1)).dropna(subset=["value"])
    places = axis.transData.transform(numbered[[column, "value"]].to_numpy(float)) * POINTS / figure.dpi
    taken = list(places)
    for number, place in zip(numbered["number"], places, strict=True):
        free = max(_around(place), key=lambda spot: min(_distance(spot, other) for other in taken))
        taken.append(free)
        line = numbered.loc[numbered["number"] == number].iloc[0]
        axis.annotate(
            str(number), (line[column], line["value"]), free - place, textcoords="offset points", ha="center",
            va="center", arrowprops={"arrowstyle": "-", "color": "0.5", "lw": 0.7},
        )  # fmt: skip


def _around(place: ndarray) -> list[ndarray]:
    """Return spots around a place, in points."""
    turns = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    return [place + far * np.array([np.cos(turn), np.sin(turn)]) for far in (14, 26) for turn in turns]


def _distance(spot: ndarray, other: ndarray) -> float:
    """Return the distance in points, no more than a number needs, so that the nearest spot with room is taken."""
    return min(float(np.linalg.norm(spot - other)), ROOM)
