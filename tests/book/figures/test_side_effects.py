"""The figure of side effects on a small frame: what is drawn where."""

import matplotlib.pyplot as plt
import pandas as pd

from semalign.book.figures.side_effects import side_effects


def test_each_method_has_a_line_with_its_changes_on_its_own_and_on_other_tasks():
    losses = pd.DataFrame({"own task": [-0.5, 0.25], "other tasks": [1.0, 0.0]}, index=["sft", "laten"])
    scores = pd.DataFrame({"own task": [2.0, 8.0], "other tasks": [-1.0, -4.0]}, index=["laten", "sft"])
    figure = side_effects(losses, scores)
    loss, score = figure.axes
    assert len(loss.get_yticklabels()) == 2
    assert [line.get_xdata().tolist() for line in loss.lines[:2]] == [[-0.5, 0.25], [1.0, 0.0]]
    assert [line.get_xdata().tolist() for line in score.lines[:2]] == [[8.0, 2.0], [-4.0, -1.0]]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["own task", "other tasks"]
    assert loss.yaxis_inverted() and loss.get_xscale() == "symlog" and score.get_xscale() == "linear"
    plt.close(figure)
