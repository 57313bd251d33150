"""Figures of Chapter 12: the paper's Fig. 4 and 6, the similarity of all layers of a teacher and a student."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator

from semalign.analysis.cka_summary import CONDITIONS
from semalign.targets.pairing import LayerMap

PAPER = ("before", "after")  # what the paper shows
CONTROLS = ("transferred", "permuted", "untrained")
KERNELS = {"rbf": "RBF"}
WIDEST = 9.4  # inches: a drawing of this width fits the column of a desktop


def layer_similarity(similarities: pd.DataFrame, states: str, conditions: Sequence[str] = PAPER) -> Figure:
    """Draw heat maps of CKA, a row for each kernel and a column for each condition, each with its own scale.

    Args:
        similarities: see :func:`semalign.analysis.cka_figure.measure_conditions`.
        states: ``"raw"`` or ``"unit"``.
        conditions: conditions to show, :data:`PAPER` or :data:`CONTROLS`; those that were not measured are left out.
    """
    of_states = similarities[similarities["states"] == states]
    shown = [name for name in conditions if name in set(of_states["condition"])]
    kernels = list(of_states["kernel"].unique())
    size = (min(3.5 * len(shown), WIDEST), 3.2 * len(kernels))
    figure, axes = plt.subplots(len(kernels), len(shown), figsize=size, squeeze=False)
    for line, kernel in zip(axes, kernels, strict=True):
        for axis, name in zip(line, shown, strict=True):
            part = of_states[(of_states["kernel"] == kernel) & (of_states["condition"] == name)]
            image = _heat_map(axis, part.pivot(index="teacher_layer", columns="student_layer", values="cka"))
            called = CONDITIONS[name].replace("alignment with ", "")
            axis.set(title=f"{called}, {KERNELS.get(kernel, kernel)}", xlabel="student layer", ylabel="teacher layer")
            figure.colorbar(image, ax=axis, shrink=0.9)
    return figure


def _heat_map(axis: Axes, matrix: pd.DataFrame) -> AxesImage:
    """Draw one matrix; a ring marks the teacher layer that a student layer is paired with."""
    n_teacher, n_student = matrix.shape
    extent = (0.5, n_student + 0.5, 0.5, n_teacher + 0.5)
    image = axis.imshow(matrix, cmap="viridis", origin="lower", aspect="auto", extent=extent)
    students, teachers = zip(*LayerMap(n_teacher, n_student), strict=True)
    axis.scatter(students, teachers, s=30, facecolors="none", edgecolors="black", linewidths=2.2)
    axis.scatter(students, teachers, s=30, facecolors="none", edgecolors="white", linewidths=1)
    axis.grid(False)
    for side in (axis.xaxis, axis.yaxis):
        side.set_major_locator(MaxNLocator(5, integer=True))
    return image
