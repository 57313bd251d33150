"""The figure of speed: a line for each step, whose name is above it on a phone."""

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from semalign.book.figures.speed import ratios
from semalign.book.stacked import WIDTH, narrow_form


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture
def figure():
    columns = ["step", "run", "ratio", "low", "high", "reach"]
    lines = [["a step with a long name", 1, 4.0, 3.0, 5.0, 2.0], ["another", 1, 0.5, 0.4, 0.6, 1.0]]
    return ratios(pd.DataFrame(lines, columns=columns))


def test_steps_are_in_the_order_of_their_ratios(figure):
    (axis,) = figure.axes
    assert [name.get_text() for name in axis.get_yticklabels()] == ["another", "a step with a long name"]
    assert axis.containers[0].lines[0].get_xdata().tolist() == [0.5, 4.0]


def test_on_a_phone_the_name_of_a_step_is_above_its_line(figure):
    narrow = narrow_form(figure)
    (axis,) = narrow.axes
    assert narrow.get_figwidth() == WIDTH and not any(name.get_text() for name in axis.get_yticklabels())
    assert [name.get_text() for name in axis.texts] == ["another", "a step with a long name"]
    assert all(line < name.get_position()[1] < line + 1 for line, name in enumerate(axis.texts))
