"""Figures of trainings: what is drawn where."""

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from semalign.book import figures
from semalign.experiments import curves, sweep


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def test_each_measure_and_task_has_a_panel_with_a_line_for_each_entry():
    nan = float("nan")
    points = pd.DataFrame(
        [
            ["semalign", "micro_mmlu", 0, 0, 40.0, 0.5, 0.1],
            ["semalign", "micro_mmlu", 1, 0, 40.0, 0.5, 0.1],
            ["semalign", "micro_mmlu", 0, 15, nan, 0.6, 0.2],
            ["semalign", "micro_mmlu", 1, 15, nan, 0.8, 0.4],
            ["cross-entropy", "micro_gsm8k", 0, 0, 30.0, 0.7, nan],
        ],
        columns=["method", "task", "seed", "step", "score", "response_nll", "layer_cosine"],
    )
    figure = figures.curves(points)
    mmlu, nll, cosine, gsm8k, _, without = figure.axes
    assert [mmlu.get_title(), gsm8k.get_title()] == ["MMLU, score (%)", "GSM8K, score (%)"]
    assert mmlu.lines[0].get_xydata().tolist() == [[0, 40.0]]
    assert nll.lines[0].get_xydata().tolist() == [[0, 0.5], [15, pytest.approx(0.7)]]
    assert cosine.lines[0].get_ydata().tolist() == pytest.approx([0.1, 0.3])
    assert without.texts[0].get_text() == "not run"
    assert [text.get_text() for text in figure.legends[0].texts] == ["semalign", "cross-entropy"]
    figure.canvas.draw()


def test_more_entries_than_markers_are_drawn_too():
    columns = ["method", "task", "seed", "step", "score", "response_nll", "layer_cosine"]
    points = pd.DataFrame([[f"entry-{i}", "micro_mmlu", 0, 0, 40.0, 0.5, 0.1] for i in range(13)], columns=columns)
    assert len(figures.curves(points).axes[0].lines) == 13


def test_without_records_a_figure_says_so():
    assert figures.curves(curves.points([])).axes[0].texts[0].get_text() == "not run"
    (axis,) = figures.nll_by_layer(sweep.table([]), ["micro_mmlu"], ["mlp"]).axes
    assert axis.texts[0].get_text() == "not run"


def test_a_layer_has_a_column_and_a_map_a_row():
    names = ["task", "map", "interface", "student_layer", "nll_before", "nll_after"]
    found = [
        ["micro_gsm8k", name, "mlp", k, 1.0, 1.0 + sign * 0.1 * k]
        for name, sign in (("permuted", 1), ("semantic", -1))
        for k in (1, 2)
    ]
    lines = pd.DataFrame(found, columns=names)
    figure = figures.nll_by_layer(lines, ["micro_gsm8k"], ["mlp", "residual"])
    (drawn,) = figure.axes  # nothing of the other interface was run
    assert drawn.get_title() == "GSM8K, MLP output"
    assert [label.get_text() for label in drawn.get_yticklabels()] == ["the paper's map", "permuted atoms"]
    assert [text.get_text() for text in drawn.texts] == ["-0.100", "-0.200", "+0.100", "+0.200"]
    assert drawn.collections[0].get_clim() == pytest.approx((-0.2, 0.2))
    louder = lines.assign(task="micro_mmlu", nll_after=lines["nll_after"] + 1)
    first, second = figures.nll_by_layer(pd.concat([lines, louder]), ["micro_gsm8k", "micro_mmlu"], ["mlp"]).axes
    assert first.collections[0].get_clim() == pytest.approx((-0.2, 0.2)), "a task has its own scale"
    assert second.collections[0].get_clim() == pytest.approx((-1.2, 1.2))
