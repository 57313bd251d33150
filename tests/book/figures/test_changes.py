"""The figure of scores over changes of weights: what is drawn where."""

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from semalign.book import figures

COLUMNS = ["profile", "task", "entry", "kind", "weight_change", "gain"]


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def test_each_task_has_a_panel_with_its_entries():
    points = pd.DataFrame(
        [
            ["micro-tuned", "micro_mmlu", "sft", "control", 0.1, 20.0],
            ["micro-tuned", "micro_mmlu", "old", "control", float("nan"), 1.0],
            ["micro", "micro_mmlu", "semalign", "method", 0.004, -2.0],
        ],
        columns=COLUMNS,
    )
    figure = figures.score_over_change(points, ["micro_mmlu", "micro_gsm8k", "micro_mbpp"])
    mmlu, gsm8k, mbpp, unused = figure.axes
    assert [axis.get_title() for axis in (mmlu, gsm8k, mbpp)] == ["MMLU", "GSM8K", "MBPP"]
    assert sorted(mmlu.collections[0].get_offsets().tolist()) == [[pytest.approx(0.4), -2.0], [10.0, 20.0]]
    assert mmlu.get_xscale() == "log" and gsm8k.texts[0].get_text() == "not run" and not unused.get_visible()
    names = [text.get_text() for text in figure.legends[0].texts]
    assert names == ["micro-tuned", "micro", "method", "control", "baseline"]
    figure.canvas.draw()


def test_without_records_every_panel_says_so():
    figure = figures.score_over_change(pd.DataFrame(columns=COLUMNS), ["micro_mmlu"])
    assert figure.axes[0].texts[0].get_text() == "not run"
    figure.canvas.draw()
