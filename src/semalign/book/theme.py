"""The style of the book's figures.

Figures have a white background in the book's dark mode too, so their colours are chosen for white only. The palette is
Wong's, whose colours remain distinct for readers with the common forms of colour blindness.
"""

import sys

import seaborn as sns


def apply_theme() -> None:
    """Set the common style of all figures."""
    settings = {
        "figure.figsize": (7.0, 3.8),
        "figure.constrained_layout.use": True,
        "savefig.facecolor": "white",
        "axes.titlesize": "medium",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "legend.frameon": False,
        "grid.color": "0.9",
    }
    sns.set_theme(context="notebook", style="whitegrid", palette="colorblind", rc=settings)
    if "ipykernel" in sys.modules:
        from matplotlib_inline.backend_inline import set_matplotlib_formats

        set_matplotlib_formats("retina")
