"""The two pictures of a diagnosis: what the targets say by layer, and what they do in place of the student's states."""

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

NAMES = {
    "semantic": "the paper's map",
    "permuted": "permuted atoms",
    "random": "random bases",
    "least_squares": "logit-preserving",
    "permuted_least_squares": "logit-preserving, permuted",
    "procrustes": "Procrustes",
    "permuted_procrustes": "Procrustes, permuted",
    "ridge": "ridge",
    "permuted_ridge": "ridge, permuted",
    "zero": "zero",
    "teacher": "the teacher's own states",
    "student": "the student's own states",
}
MARKERS = "osD^vP*Xh"
PERMUTED = "permuted"
TITLE = "title: "  # begins the name of a part of a drawing that a page shows where the pointer rests on it


def readings_figure(readings: pd.DataFrame) -> Figure:
    """Draw for each map how often the aligned state of a teacher layer says the teacher's next token.

    Args:
        readings: see :class:`semalign.analysis.diagnosis.diagnosing.Diagnosis`.
    """
    figure, axis = plt.subplots(figsize=(7, 4), layout="constrained")
    draw_readings(axis, readings)
    axis.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    return figure


def draw_readings(axis: Axes, readings: pd.DataFrame) -> None:
    """Draw readings, with labels and without a legend; see :func:`readings_figure`.

    A layer of the student is drawn at the same share of the teacher's depth.
    """
    drawn = _drawn(readings[readings["map"] != "width"])
    deepest = readings.groupby("map")["layer"].max()
    for name in drawn:
        part, (marker, colour, line) = readings[readings["map"] == name], _look(name)
        ends = [100 * end.clip(lower=0) for end in (part["top_1"] - part["low"], part["high"] - part["top_1"])]
        axis.errorbar(
            part["layer"] * deepest["width"] / deepest[name], 100 * part["top_1"], yerr=ends,
            marker=marker, color=colour, label=name_of(name), capsize=2, ls=line,
        )  # fmt: skip
    ceiling = 100 * readings[readings["map"] == "width"]["top_1"].iloc[0]
    axis.axhline(ceiling, color="0.4", lw=1, ls=":", label="best fit at its width")
    axis.set(xlabel="teacher layer", ylabel="read first (%)", ylim=(-2, 102))


def patches_figure(patches: pd.DataFrame) -> Figure:
    """Draw for each map the change of the response NLL while its targets replace the student's states, by layer.

    Args:
        patches: see :class:`semalign.analysis.diagnosis.diagnosing.Diagnosis`.
    """
    strengths = sorted(patches["strength"].unique())
    size = (3.4 * len(strengths) + 1.6, 4)
    figure, axes = plt.subplots(1, len(strengths), figsize=size, sharey=True, squeeze=False, layout="constrained")
    for axis, strength in zip(axes[0], strengths, strict=True):
        draw_patches(axis, patches[patches["strength"] == strength])
        axis.set_title(f"strength {strength:g}")
    axes[0, 0].set_ylabel("change of response NLL (nats per token)")
    axes[0, -1].legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    return figure


def draw_patches(axis: Axes, patches: pd.DataFrame) -> None:
    """Draw the patches of one strength, with labels and without a legend; see :func:`patches_figure`."""
    layers = sorted(patches["layer"].unique())
    drawn = _drawn(patches)
    for i, name in enumerate(drawn):
        part, (marker, colour, _) = patches[patches["map"] == name].set_index("layer").loc[layers], _look(name)
        places = [place + 0.7 * (i - (len(drawn) - 1) / 2) / len(drawn) for place in range(len(layers))]
        ends = [part["change"] - part["change_low"], part["change_high"] - part["change"]]
        axis.errorbar(
            places, part["change"], yerr=[end.clip(lower=0) for end in ends], fmt=marker, color=colour,
            label=name_of(name), capsize=2, mfc="none" if name.startswith(PERMUTED) else colour,
        )  # fmt: skip
        for place, layer in zip(places, layers, strict=True):
            change, low, high = part.loc[layer, ["change", "change_low", "change_high"]]
            told = f"{TITLE}{name_of(name)}, layer {layer}: {change:+.3f} [{low:+.3f}, {high:+.3f}]"
            axis.plot(place, change, "o", ms=9, alpha=0, gid=told)
    axis.axhline(0, color="0.4", lw=1)
    axis.set_yscale("symlog", linthresh=0.02)
    axis.yaxis.set_major_formatter("{x:g}")
    axis.margins(y=0.1)
    axis.set_xticks(range(len(layers)), layers)
    axis.set_xlabel("student layer")


def name_of(name: str) -> str:
    """Return what pictures and tables call a map; one of the user's own by its name."""
    return NAMES.get(name, name)


def _drawn(lines: pd.DataFrame) -> list[str]:
    """Return the maps of some lines, those of the user's own last."""
    found = dict.fromkeys(lines["map"])
    return [*(name for name in NAMES if name in found), *(name for name in found if name not in NAMES)]


def _look(name: str) -> tuple[str, tuple[float, float, float], str]:
    """Return marker, colour and line of a map; a permuted map has the look of the map itself, with a dotted line."""
    of = "semantic" if name == PERMUTED else name.removeprefix(f"{PERMUTED}_")
    shown = [each for each in NAMES if not each.startswith(PERMUTED)]
    colours = sns.color_palette("colorblind", len(shown) + 1)  # the last is that of maps of the user's own
    line = ":" if name.startswith(PERMUTED) else "--" if name in ("teacher", "student") else "-"
    place = shown.index(of) if of in shown else -1
    return MARKERS[place], colours[place], line
