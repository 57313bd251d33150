"""The figure of scores over costs: what is drawn where, and where its numbers are."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from semalign.book import figures
from semalign.book.figures.costs import ROOM
from semalign.book.stacked import narrow_form


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def test_scores_are_drawn_over_costs_with_their_numbers():
    columns = ["method", "kind", "seconds", "memory", "before", "value", "low", "high", "task"]
    nan = float("nan")
    lines = [
        ["a", "method", 1.0, 10.0, 5.0, nan, nan, nan, "gsm8k"],
        ["b", "control", 2.0, 20.0, 5.0, 50.0, 45.0, 55.0, "gsm8k"],
    ]
    seconds, memory = figures.score_over_cost(pd.DataFrame(lines, columns=columns)).axes
    assert seconds.get_ylabel() == "score on GSM8K (%)"
    for axis, x in ((seconds, 2.0), (memory, 20.0)):
        (note,) = axis.texts
        assert note.get_text() == "2" and note.xy == (x, 50.0)


@pytest.mark.parametrize("form", [lambda figure: figure, narrow_form], ids=["wide", "narrow"])
def test_numbers_of_points_that_coincide_are_apart_and_within_their_axes(form):
    columns = ["method", "kind", "seconds", "memory", "before", "value", "low", "high", "task"]
    lines = [[name, "control", 2.0, 20.0, 5.0, 50.0, 49.0, 51.0, "gsm8k"] for name in "abcdef"]
    lines.append(["g", "control", 9.0, 90.0, 5.0, 80.0, 75.0, 85.0, "gsm8k"])
    figure = form(figures.score_over_cost(pd.DataFrame(lines, columns=columns)))
    seconds = figure.axes[0]
    places = np.array([note.get_position() for note in seconds.texts[:-1]])
    distances = np.linalg.norm(places[:, None] - places[None], axis=-1) + 99 * np.eye(6)
    assert distances.min() >= ROOM
    figure.canvas.draw()
    ends = [note.get_window_extent() for note in seconds.texts]
    assert all(seconds.bbox.contains(*end.min) and seconds.bbox.contains(*end.max) for end in ends)


def test_without_costs_a_note_says_so():
    empty = figures.score_over_cost(pd.DataFrame())
    assert [axis.texts[0].get_text() for axis in empty.axes] == ["not run"]
