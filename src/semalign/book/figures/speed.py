"""The figure of speed: how many times faster each step is than its peer."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter


def ratios(data: pd.DataFrame) -> Figure:
    """Draw the ratio of each step at its largest size, with its spread, on a log scale, and the ratio to reach.

    Args:
        data: see :func:`semalign.book.tables.speed.speed_data`.
    """
    last = data.groupby(["step", "run"], sort=False).tail(1)
    order = last.groupby("step")["ratio"].median().sort_values().index
    figure, axis = plt.subplots(figsize=(7, 0.8 + 0.34 * len(order)))
    for run, part in last.groupby("run"):
        lines = part.set_index("step").reindex(order)
        spread = [(lines["ratio"] - lines["low"]).clip(lower=0), (lines["high"] - lines["ratio"]).clip(lower=0)]
        places = [place + 0.16 * (int(run) - 1) for place in range(len(order))]
        axis.errorbar(lines["ratio"], places, xerr=spread, fmt="o", ms=5, capsize=3, label=f"run {run}")
    reach = last.groupby("step")["reach"].first().reindex(order)
    axis.plot(reach, range(len(order)), "|", ms=14, mew=2, color="0.5", label="to reach")
    axis.axvline(1, color="0.5", lw=1)
    axis.set(xscale="log", xlabel="times faster than the peer")
    axis.xaxis.set_major_formatter("{x:g}")
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.set_yticks(range(len(order)), order)
    axis.legend(loc="lower right")
    return figure
