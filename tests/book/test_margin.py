"""How coarse the margin of equality is, on losses that are written by hand."""

import pandas as pd
import pytest

from semalign.book.margin import margin_shares, margin_text
from semalign.results.pairs import NLL

LINES = pd.DataFrame(
    [
        ("micro_gsm8k", "labels", 0.15, 0.125),
        ("micro_mmlu", "labels", 0.5, 0.4),
        ("micro_mmlu", "other", 9.0, 1.0),
        ("micro_mbpp", "labels", 0.04, 0.05),  # raised
        ("micro_humaneval", "labels", 0.02, 0.0199),
        ("words", "labels", float("nan"), float("nan")),  # not measured
    ],
    columns=["task", "entry", "nll_before", "nll"],
)


def test_the_margin_is_a_share_of_the_gain_and_of_the_loss_that_is_left():
    assert NLL.margin == 0.01
    found = margin_shares(LINES, "labels")
    assert found["task"].tolist() == ["micro_mmlu", "micro_gsm8k", "micro_humaneval", "micro_mbpp"]
    assert found["gain"].tolist() == pytest.approx([0.1, 0.025, 0.0001, -0.01])
    assert found["of_gain"].tolist() == pytest.approx([10, 40, 10_000, float("nan")], nan_ok=True)
    assert found["of_rest"].tolist() == pytest.approx([2.5, 8, 1 / 0.0199, 20])


def test_the_sentence_has_each_student_and_benchmark():
    text = margin_text({"near": LINES[:2], "far": LINES[3:4], "none": LINES[:0]}, "labels").text
    assert "margin of 0.01 nats per token" in text and "labels alone (`labels`)" in text
    assert "that they leave, near: MMLU 10% / 2%, GSM8K 40% / 8%; far: MBPP no gain / 20%; none: not run." in text


def test_a_share_that_rounds_to_zero_is_not_called_zero():
    large = pd.DataFrame([("words", "labels", 9.0, 3.0)], columns=["task", "entry", "nll_before", "nll"])
    assert "words under 1% / under 1%" in margin_text({"near": large}, "labels").text
