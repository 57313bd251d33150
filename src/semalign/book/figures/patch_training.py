"""Figure of the patch test beside training: what each made of the loss at the same places."""

from functools import partial

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from semalign.analysis.diagnosis.pictures import NAMES
from semalign.book.figures.course import without_records
from semalign.book.figures.scores import MARKERS
from semalign.book.tables.paper import in_order, title
from semalign.book.tables.patch_training import GROUP

LINEAR = 0.01  # nats, around zero; beyond it the axes are logarithmic


def trained_over_patched(places: pd.DataFrame) -> Figure:
    """Draw the change by training over that by the patch, a panel for each student and task, a colour for each layer.

    On the line both changes are equal.

    Args:
        places: of one strength, see :func:`semalign.book.tables.patch_training.patched_and_trained`.
    """
    if places.empty:
        return without_records()
    ordered = places.sort_values("task", key=in_order, kind="stable").sort_values("student", kind="stable")
    groups = dict(list(ordered.groupby(GROUP, sort=False)))
    height = -(-len(groups) // 2)
    figure, axes = plt.subplots(height, 2, figsize=(7, 0.9 + 2.6 * height), sharex=True, sharey=True, squeeze=False)
    markers = dict(zip((name for name in NAMES if (places["map"] == name).any()), MARKERS, strict=False))
    colours = dict(zip(sorted(places["layer"].unique()), sns.color_palette("colorblind"), strict=False))
    for axis, ((student, task), part) in zip(axes.flat, groups.items(), strict=False):
        _panel(axis, part, markers, colours)
        axis.set_title(f"{student}, {title(task)}")
    for axis in axes.flat[len(groups) :]:
        axis.set_visible(False)
    for axis in axes[:, 0]:
        axis.set_ylabel("change by training")
    for axis in axes[-1]:
        axis.set_xlabel("change by the patch")
    empty = partial(plt.Line2D, [], [], ls="")
    handles = [empty(marker="s", color=colour, label=f"layer {layer}") for layer, colour in colours.items()]
    handles += [empty(marker=marker, color="0.3", label=NAMES[name]) for name, marker in markers.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=5)
    return figure


def _panel(axis: Axes, part: pd.DataFrame, markers: dict[str, str], colours: dict[int, tuple]) -> None:
    for _, line in part.iterrows():
        axis.plot(line["change"], line["trained"], markers[line["map"]], color=colours[line["layer"]], ms=4, alpha=0.8)
    axis.axhline(0, color="0.7", lw=0.8)
    axis.axvline(0, color="0.7", lw=0.8)
    axis.set_xscale("symlog", linthresh=LINEAR)
    axis.set_yscale("symlog", linthresh=LINEAR)
    axis.axline((0, 0), (LINEAR, LINEAR), color="0.5", lw=0.8, ls=":")
    axis.xaxis.set_major_formatter("{x:g}")
    axis.yaxis.set_major_formatter("{x:g}")
    axis.tick_params(axis="x", labelrotation=60)
