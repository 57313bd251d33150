"""The two pictures of a diagnosis: what the targets say by layer, and what they do in place of the student's states."""

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
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
    "zero": "zero",
    "teacher": "the teacher's own states",
}
MARKERS = "osD^vP*X<>"


def readings_figure(readings: pd.DataFrame) -> Figure:
    """Draw for each map how often the aligned state of a teacher layer says the teacher's next token.

    Args:
        readings: see :class:`semalign.analysis.diagnosis.diagnosing.Diagnosis`.
    """
    figure, axis = plt.subplots(figsize=(7, 4), layout="constrained")
    drawn = [name for name in NAMES if name in set(readings["map"])]
    for name, marker, colour in zip(drawn, MARKERS, sns.color_palette("colorblind", len(drawn)), strict=False):
        part = readings[readings["map"] == name]
        ends = [part["top_1"] - part["low"], part["high"] - part["top_1"]]
        axis.errorbar(
            part["layer"], 100 * part["top_1"], yerr=[100 * end.clip(lower=0) for end in ends],
            marker=marker, color=colour, label=NAMES[name], capsize=2, ls="--" if name == "teacher" else "-",
        )  # fmt: skip
    for name, text in (("student", "the student by itself"), ("width", "any head of its width")):
        value = 100 * readings[readings["map"] == name]["top_1"].iloc[0]
        axis.axhline(value, color="0.4", lw=1, ls=":" if name == "width" else "-.", label=text)
    axis.set(xlabel="teacher layer", ylabel="teacher's next token first (%)", ylim=(-2, 102))
    axis.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    return figure


def patches_figure(patches: pd.DataFrame) -> Figure:
    """Draw for each map the change of the response NLL while its targets replace the student's states, by layer.

    Args:
        patches: see :class:`semalign.analysis.diagnosis.diagnosing.Diagnosis`.
    """
    strengths = sorted(patches["strength"].unique())
    layers = sorted(patches["layer"].unique())
    size = (3.4 * len(strengths) + 1.6, 4)
    figure, axes = plt.subplots(1, len(strengths), figsize=size, sharey=True, squeeze=False, layout="constrained")
    drawn = [name for name in NAMES if name in set(patches["map"])]
    for axis, strength in zip(axes[0], strengths, strict=True):
        for i, (name, colour) in enumerate(zip(drawn, sns.color_palette("colorblind", len(drawn)), strict=True)):
            part = patches[(patches["map"] == name) & (patches["strength"] == strength)].set_index("layer").loc[layers]
            places = [place + 0.7 * (i - (len(drawn) - 1) / 2) / len(drawn) for place in range(len(layers))]
            ends = [part["change"] - part["change_low"], part["change_high"] - part["change"]]
            axis.errorbar(
                places, part["change"], yerr=[end.clip(lower=0) for end in ends],
                fmt=MARKERS[i % len(MARKERS)], color=colour, label=NAMES[name], capsize=2,
            )  # fmt: skip
        axis.axhline(0, color="0.4", lw=1)
        axis.set_yscale("symlog", linthresh=0.02)
        axis.set_xticks(range(len(layers)), layers)
        axis.set(title=f"strength {strength:g}", xlabel="student layer")
    axes[0, 0].set_ylabel("change of response NLL (nats per token)")
    axes[0, -1].legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    return figure
