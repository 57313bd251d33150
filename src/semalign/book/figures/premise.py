"""Figures of the premise: readings and patches of several pairs, one panel above the other."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from semalign.analysis.diagnosis.pictures import draw_patches, draw_readings
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
    """Draw a panel for each record, with one legend."""
    rows = max(1, len(records))
    figure, axes = plt.subplots(rows, 1, figsize=(7, 2.9 * rows + 1.2), squeeze=False, layout="constrained")
    for axis, record in zip(axes[:, 0], records, strict=False):
        draw(axis, record)
        axis.set_title(pair_name(record))
    labelled = {
        label: line for axis in axes[:, 0] for line, label in zip(*axis.get_legend_handles_labels(), strict=True)
    }
    if labelled:
        figure.legend(labelled.values(), labelled.keys(), loc="outside lower center", ncols=3, frameon=False)
    return figure
