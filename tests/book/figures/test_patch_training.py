"""The figure of the patch test beside training."""

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from semalign.analysis.diagnosis.pictures import NAMES
from semalign.book.figures.patch_training import trained_over_patched

LINES = [
    ["near", "micro_gsm8k", "semantic", 1, 0.3, 0.5],
    ["near", "micro_gsm8k", "ridge", 2, -0.2, 0.1],
    ["near", "micro_mmlu", "ridge", 2, -0.4, -0.3],
    ["far", "micro_mmlu", "ridge", 1, 0.0, 0.2],
]


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def test_each_place_is_a_point_in_the_panel_of_its_student_and_task():
    names = ["student", "task", "map", "layer", "change", "trained"]
    figure = trained_over_patched(pd.DataFrame(LINES, columns=names))
    panels = {axis.get_title(): axis for axis in figure.axes if axis.get_visible()}
    assert list(panels) == ["far, MMLU", "near, MMLU", "near, GSM8K"]
    points = [line for line in panels["near, GSM8K"].lines if line.get_marker() not in ("None", "")]
    assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in points] == [(0.3, 0.5), (-0.2, 0.1)]
    assert len({line.get_color() for line in points}) == len({line.get_marker() for line in points}) == 2
    said = [text.get_text() for text in figure.legends[0].get_texts()]
    assert said == ["layer 1", "layer 2", NAMES["semantic"], NAMES["ridge"]]


def test_without_places_the_figure_is_a_note():
    assert len(trained_over_patched(pd.DataFrame()).axes) == 1
