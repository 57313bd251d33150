"""Figure of Chapter 8: the paper's Fig. 4 and 6, the similarity of all layers of a teacher and a student."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator

from semalign.analysis.cka_summary import CONDITIONS
from semalign.targets.pairing import LayerMap

SHOWN = ["before", "after", "transferred", "untrained", "permuted"]


def layer_similarity(similarities: pd.DataFrame, states: str) -> Figure:
    """Draw heat maps of CKA, a row for each kernel and a column for each condition.

    Args:
        similarities: see :func:`semalign.analysis.cka_figure.measure_conditions`.
        states: ``"raw"`` or ``"unit"``.
    """
    of_states = similarities[similarities["states"] == states]
    shown = [name for name in SHOWN if name in set(of_states["condition"])]
    kernels = list(of_states["kernel"].unique())
    size = (2.1 * len(shown) + 0.8, 2.5 * len(kernels) + 0.3)
    figure, axes = plt.subplots(len(kernels), len(shown), figsize=size, squeeze=False, sharex=True, sharey=True)
    for i, kernel in enumerate(kernels):
        for axis, name in zip(axes[i], shown, strict=True):
            part = of_states[(of_states["kernel"] == kernel) & (of_states["condition"] == name)]
            image = _heat_map(axis, part.pivot(index="teacher_layer", columns="student_layer", values="cka"))
            axis.set_title(CONDITIONS[name].replace("alignment with ", "") if i == 0 else "", fontsize=9)
        axes[i, 0].set_ylabel(f"{kernel}\nteacher layer")
    for axis in axes[-1]:
        axis.set_xlabel("student layer")
        axis.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    figure.colorbar(image, ax=axes, label="CKA", shrink=0.7)
    return figure


def _heat_map(axis: Axes, matrix: pd.DataFrame) -> AxesImage:
    """Draw one matrix; a ring marks the teacher layer that a student layer is paired with."""
    n_teacher, n_student = matrix.shape
    extent = (0.5, n_student + 0.5, 0.5, n_teacher + 0.5)
    image = axis.imshow(matrix, vmin=0, vmax=1, cmap="viridis", origin="lower", aspect="auto", extent=extent)
    students, teachers = zip(*LayerMap(n_teacher, n_student), strict=True)
    axis.scatter(students, teachers, s=9, facecolors="none", edgecolors="white", linewidths=0.7)
    axis.grid(False)
    return image
