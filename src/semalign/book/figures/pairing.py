"""Figure of Chapter 4: the paper's Fig. 3 for a real pair, with the layer map and states in both spaces."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy import ndarray
from torch import Tensor
from torch.nn.functional import normalize

from semalign.targets.pairing import LayerMap

KINDS = ["digit next", "word next", "other"]


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
    student: Float[Tensor, "n d_student"],
    layers: tuple[int, int],
) -> dict[str, Float[ndarray, "n 2"]]:
    """Return the points of the three panels: teacher states, targets and student states, by the panel's title.

    Teacher states are shown on their own plane of largest variance, the other two on that of the targets.
    """
    plane = spread_plane(targets)
    return {
        f"teacher, layer {layers[0]}": project(teacher, spread_plane(teacher)),
        "targets, student's space": project(targets, plane),
        f"student, layer {layers[1]}, before": project(student, plane),
    }


def cloud_table(points: Mapping[str, Float[ndarray, "n 2"]], kinds: Sequence[str]) -> pd.DataFrame:
    """Return the points of all panels, one on each line."""
    parts = [
        pd.DataFrame({"panel": title, "x": cloud[:, 0], "y": cloud[:, 1], "next": kinds})
        for title, cloud in points.items()
    ]
    return pd.concat(parts)


def layer_pairs(layer_map: LayerMap, scores: Sequence[float], k: int, table: pd.DataFrame) -> Figure:
    """Draw the layer map with the teacher's attribution, and the panels of states.

    Args:
        layer_map: layer map of teacher and student.
        scores: attribution scores of the teacher's layers.
        k: student layer of the highlighted pair.
        table: see :func:`cloud_table`.
    """
    figure, axes = plt.subplots(1, 4, figsize=(12, 3.9), width_ratios=[1.05, 1, 1, 1])
    norm = Normalize(0, max(scores))
    _layers(axes[0], layer_map, scores, k, norm)
    colours = plt.cm.ScalarMappable(norm, "viridis")
    figure.colorbar(colours, ax=axes[0], shrink=0.6, label="attribution", location="left")
    for axis, (title, points) in zip(axes[1:], table.groupby("panel", sort=False), strict=True):
        sns.scatterplot(
            points, x="x", y="y", hue="next", style="next", ax=axis, s=18, legend=axis is axes[1], hue_order=KINDS,
            style_order=KINDS,
        )  # fmt: skip
        axis.set(title=title, xticks=[], yticks=[], xlabel="", ylabel="")
    axes[1].legend(fontsize=7, loc="best")
    return figure


def _layers(axis: Axes, layer_map: LayerMap, scores: Sequence[float], k: int, norm: Normalize) -> None:
    """Draw a column of layers for each model, and a line between paired layers."""
    height, colours = layer_map.n_teacher, plt.get_cmap("viridis")
    for number, score in enumerate(scores, start=1):
        axis.add_patch(plt.Rectangle((0, number - 0.4), 0.8, 0.8, color=colours(norm(score))))
        axis.text(-0.15, number, str(number), ha="right", va="center", fontsize=8)
    places = height * np.arange(1, layer_map.n_student + 1) / layer_map.n_student
    for (number, paired), place in zip(layer_map, places, strict=True):
        chosen = number == k
        axis.add_patch(plt.Rectangle((2.4, place - 0.4), 0.8, 0.8, color="tab:orange" if chosen else "0.8"))
        axis.text(3.35, place, str(number), ha="left", va="center", fontsize=8)
        axis.plot([0.8, 2.4], [paired, place], "k-" if chosen else "k--", lw=2 if chosen else 0.7)
    axis.set(xlim=(-0.8, 4), ylim=(0.2, height + 0.8), title="teacher   student")
    axis.axis("off")
