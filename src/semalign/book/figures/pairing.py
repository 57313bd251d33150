"""Figure of Chapter 4: the three steps of the paper's Fig. 3 for a real pair, with states in both spaces."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy import ndarray
from torch import Tensor
from torch.nn.functional import normalize

from semalign.targets.pairing import LayerMap

KINDS = ["digit next", "word next", "other"]
MARKS = dict(zip(KINDS, "o^s", strict=True))
# The colours of the paper's Fig. 3: layers that are paired are orange, targets grey, the student's states blue.
ORANGE, GREY, BLUE = "#c95f00", "#6f7680", "#1f7fd0"
COLOURS = {"teacher": ORANGE, "targets": GREY, "before": BLUE, "after": BLUE}


def kinds_of(tokens: Sequence[str]) -> list[str]:
    """Return the kind of each token: a digit, the beginning of a word, or something else."""
    return [KINDS[0] if t.strip("Ġ").isdigit() else KINDS[1] if t.startswith("Ġ") else KINDS[2] for t in tokens]


def spread_plane(states: Float[Tensor, "n d"]) -> Float[Tensor, "2 d"]:
    """Return the two orthonormal directions of the largest variance of the normalised states."""
    unit = normalize(states, dim=-1)
    return torch.linalg.svd(unit - unit.mean(0), full_matrices=False).Vh[:2]


def project(states: Float[Tensor, "n d"], plane: Float[Tensor, "2 d"]) -> Float[ndarray, "n 2"]:
    """Return the coordinates of the normalised states on a plane."""
    return (normalize(states, dim=-1) @ plane.T).numpy()


def clouds(
    teacher: Float[Tensor, "n d_teacher"],
    targets: Float[Tensor, "n d_student"],
    before: Float[Tensor, "n d_student"],
    after: Float[Tensor, "n d_student"],
) -> dict[str, Float[ndarray, "n 2"]]:
    """Return the points of teacher states, targets, and student states before and after the training, by name.

    Teacher states are shown on their own plane of largest variance, all others on that of the targets.
    """
    plane = spread_plane(targets)
    others = {"targets": targets, "before": before, "after": after}
    return {"teacher": project(teacher, spread_plane(teacher))} | {
        name: project(states, plane) for name, states in others.items()
    }


def cloud_table(points: Mapping[str, Float[ndarray, "n 2"]], kinds: Sequence[str]) -> pd.DataFrame:
    """Return all points of :func:`clouds`, one on each line."""
    parts = [
        pd.DataFrame({"states": name, "x": cloud[:, 0], "y": cloud[:, 1], "next": kinds})
        for name, cloud in points.items()
    ]
    return pd.concat(parts)


def layer_pairs(layer_map: LayerMap, scores: Sequence[float], k: int, table: pd.DataFrame) -> Figure:
    """Draw the paper's three steps: layers and their pairs, teacher states and targets, the student on its way there.

    Args:
        layer_map: layer map of teacher and student.
        scores: attribution scores of the teacher's layers.
        k: student layer of the highlighted pair.
        table: see :func:`cloud_table`.
    """
    figure, axes = plt.subplots(2, 2, figsize=(7, 7.4))
    _layers(axes[0, 0], layer_map, scores, k)
    panels = {
        f"2a. teacher states, layer {dict(layer_map)[k]}": ["teacher"],
        "2b. targets; student before": ["targets", "before"],
        f"3. targets; student layer {k} + Δ": ["targets", "after"],
    }
    for axis, (title, shown) in zip(axes.flat[1:], panels.items(), strict=True):
        for name in shown:
            _cloud(axis, table[table["states"] == name], COLOURS[name])
        axis.set(title=title, xticks=[], yticks=[], xlabel="", ylabel="")
    for axis in axes[1]:  # so that they can be compared
        axis.set(xlim=_span(table, "x"), ylim=_span(table, "y"))
    marks = [Line2D([], [], ls="", marker=mark, color="0.5", label=kind) for kind, mark in MARKS.items()]
    figure.legend(handles=marks, loc="outside lower center", ncol=len(marks))
    return figure


def _span(table: pd.DataFrame, column: str) -> tuple[float, float]:
    values = table.loc[table["states"] != "teacher", column]
    return float(values.min()) - 0.1, float(values.max()) + 0.1


def _cloud(axis: Axes, points: pd.DataFrame, colour: str) -> None:
    """Draw states of one kind, with a mark for what comes next."""
    for kind, mark in MARKS.items():
        part = points[points["next"] == kind]
        axis.scatter(part["x"], part["y"], s=22, marker=mark, color=colour, alpha=0.7, linewidths=0)


def _layers(axis: Axes, layer_map: LayerMap, scores: Sequence[float], k: int) -> None:
    """Draw a column of layers for each model, lines between pairs, and bars as long as the attribution."""
    height, largest = layer_map.n_teacher, max(scores)
    partner = dict(layer_map)[k]
    for number, score in enumerate(scores, start=1):
        axis.add_patch(plt.Rectangle((0, number - 0.4), 0.8, 0.8, color=ORANGE if number == partner else GREY))
        axis.barh(number, -1.4 * score / largest, 0.5, color=ORANGE, alpha=0.5)
        axis.text(0.4, number, str(number), ha="center", va="center", color="white")
    places = height * np.arange(1, layer_map.n_student + 1) / layer_map.n_student
    for (number, paired), place in zip(layer_map, places, strict=True):
        chosen = number == k
        axis.add_patch(plt.Rectangle((2.4, place - 0.4), 0.8, 0.8, color=ORANGE if chosen else GREY))
        axis.text(2.8, place, f"{number}{' + Δ' if chosen else ''}", ha="center", va="center", color="white")
        axis.plot([0.8, 2.4], [paired, place], color=ORANGE if chosen else GREY, ls="--", lw=2 if chosen else 1)
    axis.set(xlim=(-1.5, 3.4), ylim=(0.2, height + 0.8), title="1. teacher and student layers")
    axis.axis("off")
