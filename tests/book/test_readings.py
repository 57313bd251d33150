"""Sentences whose numbers come from tables that are made by hand."""

import pandas as pd
import pytest
from helpers.profiles import with_own_task

from semalign.book.readings import (
    clear_differences,
    gains,
    half_width,
    leaders,
    search_differences,
    swept,
    verdicts,
)
from semalign.experiments.profiles import load_profile

NAMES = ["method", "teacher", "student", "task", "value"]


def test_gains_are_means_over_the_students_score():
    lines = [
        ["none", None, "micro-student", "micro_mmlu", 50.0],
        ["sft", "micro-teacher", "micro-student", "micro_mmlu", 51.24],
        ["sft", "micro-coder", "micro-student", "micro_mmlu", 90.0],
        ["none", None, "micro-student", "micro_mbpp", 30.0],
        ["sft", "micro-teacher", "micro-student", "micro_mbpp", 28.0],
        ["none", None, "micro-student", "micro_gsm8k", 30.0],
    ]
    scores = pd.DataFrame(lines, columns=NAMES)
    assert gains(load_profile("micro-tuned"), scores, "sft") == "MMLU +1.2, MBPP -2.0"
    assert gains(load_profile("micro-tuned"), scores, "laten") == "not run"
    mine = scores.replace({"micro_mmlu": "arithmetic"})
    assert gains(with_own_task(load_profile("micro-tuned")), mine, "sft") == "arithmetic +1.2"


def test_a_sweep_is_told_by_task():
    lines = [
        ("micro_mmlu", "semantic", "mlp", 1, 1.0, 0.75),
        ("micro_mmlu", "semantic", "mlp", 2, 1.0, 1.25),
        ("micro_mmlu", "permuted", "mlp", 1, 1.0, 1.5),
        ("micro_mmlu", "permuted", "mlp", 2, 1.0, 1.0),
    ]
    columns = ["task", "map", "interface", "student_layer", "nll_before", "nll_after"]
    assert swept(pd.DataFrame(lines, columns=columns), ["micro_mmlu", "micro_gsm8k"]).splitlines() == [
        "- MMLU: 1 of 4 trainings lower the NLL; changes go from -0.2500 (the paper's map, MLP output, layer 1) to "
        "+0.5000 (permuted atoms, MLP output, layer 1); real minus permuted atoms is below zero in 1 of 2 places, with "
        "a mean of -0.2500.",
        "- GSM8K: not run.",
    ]


def test_leaders_are_counted():
    assert leaders(pd.DataFrame({"highest": ["a", "b", "a", ""]})) == "a in 2 of 4, b in 1 of 4"
    assert leaders(pd.DataFrame({"highest": [""]})) == "not run"


def test_a_search_compares_the_lowest_losses():
    lines = [("x", 0.5), ("x", 0.4), ("y", 0.45), ("y", 0.6)]
    frame = pd.DataFrame([{"variant": name, "task": "micro_mbpp", "response_nll": nll} for name, nll in lines])
    assert search_differences(frame, ["x", "absent"], "y") == "`x` MBPP -0.0500"
    assert search_differences(frame, ["x"], "absent") == "not run"


def test_only_clear_differences_are_counted():
    lines = pd.DataFrame({"difference": [3.0, -2.0, 1.0, 4.0], "p_holm": [0.01, 0.049, 0.06, 0.05]})
    assert clear_differences(lines) == "of 4 comparisons, higher in 1 and lower in 1"
    assert clear_differences(lines[:0]) == "not run"


def test_half_of_an_interval():
    """Wilson's interval of one half over n items is 1.96 sqrt(1 / 4n) / sqrt(1 + 1.96^2 / n) on both sides."""
    assert half_width(200) == pytest.approx(100 * 1.96 * (1 / 800) ** 0.5 / (1 + 1.96**2 / 200) ** 0.5, abs=1e-3)


def test_each_case_of_a_pair_is_counted_once():
    def told(*cases):
        return verdicts(pd.DataFrame(cases, columns=["equal", "p_holm"]).assign(idle=False, single=False))

    assert told((True, 1.0), (False, 0.01), (False, 0.5)) == "equal in 1 of 3 cases, differs in 1, open in 1"
    assert told((True, 0.01), (True, 1.0), (False, 0.01)) == (
        "equal in 2 of 3 cases, 1 of them with a shown difference inside the margin, differs in 1 other, open in 0"
    )
    assert told() == "not run"
    idle = pd.DataFrame({"equal": [True, True, False], "p_holm": [1.0] * 3, "idle": [True, False, True]}).assign(
        single=False
    )
    assert verdicts(idle) == (
        "equal in 2 of 3 cases, 1 of them because neither entry trained in any run, differs in 0, open in 1"
    )


def test_cases_with_one_seed_are_counted_apart():
    cases = [(True, 1.0, False), (False, float("nan"), True), (False, 0.01, False)]
    lines = pd.DataFrame(cases, columns=["equal", "p_holm", "single"]).assign(idle=False)
    alone = "one seed, which decides nothing, in 1"
    assert verdicts(lines) == f"equal in 1 of 2 cases, differs in 1, open in 0; {alone}"
    assert verdicts(lines[1:2]) == alone
