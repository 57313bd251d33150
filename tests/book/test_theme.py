"""The one style of all figures."""

import matplotlib as mpl

from semalign.book.theme import apply_theme


def test_figures_are_white_and_frameless():
    with mpl.rc_context():
        apply_theme()
        assert mpl.rcParams["savefig.facecolor"] == "white" and not mpl.rcParams["axes.spines.top"]
        assert mpl.rcParams["figure.constrained_layout.use"]
