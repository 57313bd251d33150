"""What several tests of the book need."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

from semalign.book.theme import apply_theme


@pytest.fixture
def style():
    """The style of the book's figures, for one test."""
    with mpl.rc_context():
        apply_theme()
        yield
    plt.close("all")
