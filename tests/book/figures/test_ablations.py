"""Figures of the ablations on small frames: what is drawn where."""

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from semalign.book.figures.ablations import critical_places, factor_effects, gain_over_alignment
from semalign.experiments.profiles import load_profile


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def test_each_base_has_a_panel_and_each_value_a_line():
    line = {"task": "micro_mmlu", "factor": "weight", "difference": 0.5, "low": 0.25, "high": 1.0}
    lines = pd.DataFrame([{**line, "base": "both", "value": "weight 3"}])
    figure = factor_effects(load_profile("ablations"), lines, "weight")
    assert [axis.get_title() for axis in figure.axes] == ["literal", "both"]
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()][:2] == ["weight 0", "weight 0.1"]
    drawn = figure.axes[1].containers[0].lines[0].get_xydata()
    assert drawn[3].tolist() == [0.5, 3.0] and pd.isna(drawn[0][0])
    assert [[text.get_text() for text in axis.texts] for axis in figure.axes] == [["not run"], []]
    assert len(figure.legends[0].get_texts()) == 1  # nothing of GSM8K was run


def test_points_of_a_student_are_in_the_panel_of_their_task():
    runs = pd.DataFrame(
        [["one", "micro_mmlu", 0.5, 0.25], ["two", "micro_mmlu", 0.1, -1.0], ["one", "micro_gsm8k", 0.7, 0.1]],
        columns=["student", "task", "before", "gain"],
    )
    figure = gain_over_alignment(runs)
    assert [axis.get_title() for axis in figure.axes] == ["MMLU", "GSM8K"]
    assert [line.get_xydata().tolist() for line in figure.axes[0].lines[:2]] == [[[0.5, 0.25]], [[0.1, -1.0]]]
    assert gain_over_alignment(runs.iloc[:0]).axes


def test_a_marker_stands_at_the_layer_that_a_granularity_finds():
    keys = ["task", "method", "aggregation", "interface", "layer", "score"]
    lines = [
        ("micro_mmlu", "ablation", "signed", interface, layer, score)
        for interface, scores in (("mlp", [3.0, 1.0, 2.0]), ("heads", [-3.0, -1.0, -2.0]))
        for layer, score in enumerate(scores, 1)
    ]
    (axis,) = critical_places(pd.DataFrame(lines, columns=keys)).axes
    assert axis.get_title() == "MMLU" and [text.get_text() for text in axis.get_yticklabels()] == ["ablation, signed"]
    assert {line.get_label(): line.get_xdata().tolist() for line in axis.lines} == {"mlp": [1], "heads": [2]}
