"""Figures of the premise: readings and patches, a panel for each pair and data set."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from semalign.analysis.diagnosis.pictures import draw_patches, draw_readings
from semalign.book.figures.course import without_records
from semalign.book.tables.premise import pair_name

Record = Mapping[str, Any]
STRENGTH = 1.0  # all of the student's own state is replaced


def readings_of_pairs(records: Sequence[Record]) -> Figure:
    """Draw for each pair what aligned states of every teacher layer say; see `draw_readings`."""
    return _panels(records, lambda axis, record: draw_readings(axis, pd.DataFrame(record["details"]["readings"])))


def patches_of_pairs(records: Sequence[Record]) -> Figure:
    """Draw for each pair what aligned states do in place of the student's own, at full strength; see `draw_patches`."""

    def draw(axis: Axes, record: Record) -> None:
        patches = pd.DataFrame(record["details"]["patches"])
        draw_patches(axis, patches[patches["strength"] == STRENGTH])
        axis.set_ylabel("change of NLL")

    return _panels(records, draw)


def _panels(records: Sequence[Record], draw: Callable[[Axes, Record], None]) -> Figure:
    """Draw a panel for each record, two beside each other, with one legend above them."""
    if not records:
        return without_records()
    rows = (len(records) + 1) // 2
    figure, axes = plt.subplots(
        rows, 2, figsize=(7.6, 2.7 * rows + 0.8), squeeze=False, sharey="row", layout="constrained"
    )
    for axis, record in zip(axes.flat, records, strict=False):
        draw(axis, record)
        axis.set_title(pair_name(record))
    for axis in axes.flat[len(records) :]:
        axis.set_axis_off()
    for axis in axes[:, 1]:
        axis.set_ylabel("")
    for axis in axes[:-1].flat:  # layers differ between pairs, so that every panel has its own numbers
        axis.set_xlabel("")
    labelled = {
        label: line for axis in axes.flat for line, label in zip(*axis.get_legend_handles_labels(), strict=True)
    }
    figure.legend(labelled.values(), labelled.keys(), loc="outside upper center", ncols=3, frameon=False)
    return figure
