"""Figure of Chapter 6: the terms of the objective over the steps of a transfer."""

from collections.abc import Mapping, Sequence

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes


def loss_table(losses: Sequence[Mapping[str, float]]) -> pd.DataFrame:
    """Return the losses of a run record with their step numbers, from 1."""
    table = pd.DataFrame(losses).rename_axis("step").reset_index()
    table["step"] += 1
    return table


def training_losses(losses: pd.DataFrame) -> Axes:
    """Draw each term over the steps; see :func:`loss_table`."""
    long = losses.melt("step", var_name="term", value_name="1 − cosine")
    axis = sns.lineplot(long, x="step", y="1 − cosine", hue="term")
    axis.set(ylim=(0, None))
    axis.legend(title=None)
    return axis
