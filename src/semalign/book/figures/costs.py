"""Figure of Chapter 10: scores over costs, a number beside each point."""

from collections.abc import Sequence
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy import ndarray

from semalign.book.figures.course import without_records
from semalign.book.figures.scores import MARKERS, errors
from semalign.book.stacked import WIDTH, in_two_forms
from semalign.book.tables.paper import title

COSTS = {"seconds": "seconds", "memory": "peak memory (MiB)"}
POINTS = 72  # of an inch
ROOM = 13.0  # points between the middles of two numbers
BESIDE = 9.0  # points between the middle of a number and a bar
FAR = (14, 24, 36)  # points between a number and its point


def score_over_cost(costs: pd.DataFrame) -> Figure:
    """Draw scores over seconds and over memory, numbered as in the table; without costs, draw a note.

    Args:
        costs: see :func:`semalign.book.tables.costs.cost_data`.
    """
    return in_two_forms(partial(_over_cost, costs)) if len(costs) else without_records()


def _over_cost(costs: pd.DataFrame, narrow: bool) -> Figure:
    figure, axes = plt.subplots(2, 1, figsize=(WIDTH if narrow else 7, 8))
    for axis, (column, name) in zip(axes, COSTS.items(), strict=True):
        _points(axis, costs, column)
        axis.margins(x=0.12, y=0.12)  # of the numbers beside the outermost points
        axis.set(xlabel=name, ylabel=f"score on {title(costs['task'].iloc[0])} (%)")
    figure.legend(*axes[0].get_legend_handles_labels(), ncols=2 if narrow else 4, loc="outside upper center")
    figure.canvas.draw()  # sets the limits of the axes, on which distances depend
    for axis, column in zip(axes, COSTS, strict=True):
        _numbers(axis, costs, column)
    return figure


def _points(axis: Axes, costs: pd.DataFrame, column: str) -> None:
    """Draw the scores over one kind of cost, with a colour and marker for each kind of method."""
    colours: Sequence[tuple[float, float, float]] = sns.color_palette("colorblind")
    for (kind, part), colour, marker in zip(costs.groupby("kind", sort=False), colours, MARKERS, strict=False):
        part = part[part["value"].notna()]
        axis.errorbar(
            part[column], part["value"], yerr=errors(part), fmt=marker, color=colour, label=kind, capsize=2, ms=5
        )


def _numbers(axis: Axes, costs: pd.DataFrame, column: str) -> None:
    """Write the number of each line beside its point, where no other point, number or bar is."""
    lines = costs.assign(number=range(1, len(costs) + 1)).dropna(subset=["value"])
    places, below, above = (_places(axis, lines[[column, height]]) for height in ("value", "low", "high"))
    bars = np.concatenate([np.linspace(*ends, 20) for ends in zip(below, above, strict=True)])
    taken = list(places)
    for place, (_, line) in zip(places, lines.iterrows(), strict=True):
        inside = [spot for spot in _around(place) if _on(axis, spot)]
        free = max(inside, key=partial(_freedom, taken=np.array(taken), bars=bars))
        taken.append(free)
        axis.annotate(
            str(line["number"]), (line[column], line["value"]), free - place, textcoords="offset points", ha="center",
            va="center", arrowprops={"arrowstyle": "-", "color": "0.5", "lw": 0.7},
        ).set_in_layout(False)  # fmt: skip


def _places(axis: Axes, lines: pd.DataFrame) -> ndarray:
    """Return where pairs of numbers are drawn, in points."""
    return np.asarray(axis.transData.transform(lines.to_numpy(float)) * POINTS / axis.figure.dpi)


def _around(place: ndarray) -> list[ndarray]:
    """Return spots around a place, in points, the nearest first."""
    turns = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    return [place + far * np.array([np.cos(turn), np.sin(turn)]) for far in FAR for turn in turns]


def _on(axis: Axes, spot: ndarray) -> bool:
    """Return whether a number at a spot, in points, lies within the axes."""
    box = axis.bbox.padded(-BESIDE * axis.figure.dpi / POINTS)
    return bool(box.contains(*spot * axis.figure.dpi / POINTS))


def _freedom(spot: ndarray, taken: ndarray, bars: ndarray) -> tuple[float, float]:
    """Return how far a spot is from what is there, no more than a number needs: the nearest with room is taken."""
    from_number, from_bar = (float(np.linalg.norm(spot - others, axis=1).min()) for others in (taken, bars))
    return min(from_number, ROOM), min(from_bar, BESIDE)
