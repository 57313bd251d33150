"""Figures of Chapter 2: the paper's Fig. 2, and the share of the states' energy in their mean."""

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from semalign.book.tables.analyses import BASES

PLACES = {
    "attention": "attention output",
    "mlp": "MLP output",
    "residual": "layer's contribution",
    "layer": "layer output",
}


def resultant_cosines(curves: pd.DataFrame) -> Figure:
    """Draw the cosine of states with their recomposed states by layer, one panel for each interface.

    Args:
        curves: see :func:`semalign.analysis.decomposition.resultant_cosine`.
    """
    named = curves[curves["interface"].isin(PLACES)].replace({"basis": BASES, "interface": PLACES})
    grid = sns.relplot(
        named, x="layer", y="cosine", hue="basis", style="basis", col="interface", kind="line", markers=True,
        dashes=False, col_order=list(PLACES.values()), hue_order=list(BASES.values()), col_wrap=2, height=2.6,
        aspect=1.3, errorbar=None,
    )  # fmt: skip
    grid.set_titles("{col_name}").set_axis_labels("layer", "cos(h, S Sᵀ h)").set(ylim=(-0.1, 1.05))
    sns.move_legend(grid, "lower center", bbox_to_anchor=(0.45, -0.14), ncol=2, title=None)
    return grid.figure


def mean_shares(curves: pd.DataFrame) -> Axes:
    """Draw the share of the states' energy in their mean; ``curves`` as in :func:`resultant_cosines`."""
    shares = curves[(curves["basis"] == "output") & curves["interface"].isin(PLACES)].replace({"interface": PLACES})
    axis = sns.lineplot(
        shares, x="layer", y="mean_share", hue="interface", style="interface", markers=True, dashes=False
    )
    axis.set(ylabel="share of energy in the mean", ylim=(0, 1.02))
    axis.legend(title=None)
    return axis
