"""Tables of results, from scores made by hand."""

import pandas as pd
import pytest

from semalign.book.tables import (
    NOT_RUN,
    descriptions,
    gaps_beside,
    interval,
    paper_scores,
    scores_beside,
    table_rows,
    title,
    transfer_rows,
)
from semalign.experiments.profiles import load_profile
from semalign.methods.registry import methods

VARIANTS = {"tuned": {"all": {"epochs": 1}}, "ridge": {"all": {"epochs": 1}}, "laten": {"all": {"steps": 1}}}
TASKS = ["MMLU", "GSM8K", "HumanEval", "MBPP"]


@pytest.fixture
def profile():
    made = load_profile("micro", variants=VARIANTS)  # which adds them to the profile's own
    return made.model_copy(update={"variants": {name: made.variants[name] for name in VARIANTS}})


def lines(columns, *values):
    return pd.DataFrame(values, columns=["method", "teacher", "student", "task", *columns])


def test_rows_are_those_of_the_paper_and_the_variants_of_its_method(profile):
    assert transfer_rows(profile) == ["laten", "seeking", "semalign", "tuned"]
    labels = [row.label for row in table_rows(profile, ["micro-teacher", "micro-coder"])]
    assert labels[:3] == ["micro-student (student)", "micro-teacher (teacher)", "laten from micro-teacher"]
    assert labels[6:] == [
        "micro-coder (teacher)", "laten from micro-coder", "seeking from micro-coder", "semalign from micro-coder",
    ]  # fmt: skip
    assert table_rows(profile, ["micro-teacher"])[-1] == ("tuned", "tuned", "micro-teacher", "micro-student")


def test_the_papers_numbers_stand_under_our_names(profile):
    scores = paper_scores(profile)
    assert scores["none", None, "micro-student", "MMLU"] == 44.20
    assert scores["none", None, "micro-wizard", "MBPP"] == 41.60
    assert scores["semalign", "micro-coder", "micro-student", "HumanEval"] == 20.12
    assert scores["seeking", "micro-teacher", "micro-student", "GSM8K"] == 28.23
    assert len(scores) == 5 * 4 + 2 * 4 * 2


def test_a_profile_with_one_teacher_has_its_numbers_only():
    scores = paper_scores(load_profile("small"))
    assert {teacher for _, teacher, _, _ in scores} == {None, "smollm2-135m"}
    assert len(scores) == 5 * 4


def test_scores_stand_beside_the_papers_and_what_is_not_there_is_not_run(profile):
    scores = lines(
        ["value", "low", "high"],
        ["none", None, "micro-student", "micro_mmlu", 30.0, 26.0, 34.0],
        ["tuned", "micro-teacher", "micro-student", "micro_mmlu", 31.24, 31.24, 31.24],
    )
    table = scores_beside(profile, scores, table_rows(profile, ["micro-teacher"]), ["MMLU", "MBPP"]).set_index("model")
    assert table.columns.tolist() == ["MMLU, paper", "MMLU, here", "MBPP, paper", "MBPP, here"]
    assert table.loc["micro-student (student)"].tolist() == ["44.20", "30.0 [26.0, 34.0]", "17.80", NOT_RUN]
    assert table.loc["tuned"].tolist() == ["–", "31.2 [31.2, 31.2]", "–", NOT_RUN]
    assert table.loc["semalign", "MMLU, here"] == NOT_RUN


def test_gaps_of_the_paper_are_those_of_its_text(profile):
    rows = table_rows(profile, ["micro-teacher"])
    gaps = lines(
        ["gap", "low", "high", "share"],
        *(["semalign", "micro-teacher", "micro-student", f"micro_{t.lower()}", gap, -3.0, 5.0, 25.0]
          for t, gap in zip(TASKS, (1.0, -1.0, 2.0, 0.0), strict=True)),
        ["laten", "micro-teacher", "micro-student", "micro_mmlu", 1.0, -3.0, 5.0, float("nan")],
    )  # fmt: skip
    table = gaps_beside(profile, gaps, rows, TASKS).set_index("model")
    assert table.index.tolist() == ["laten", "seeking", "semalign", "tuned"]
    assert table["mean size, paper"].tolist() == ["3.43", "3.92", "1.44", "–"]
    assert table.loc["semalign", "MMLU, paper"] == "2.60 (70%)"
    assert table.loc["semalign", "MMLU, here"] == "1.0 [-3.0, 5.0] (25%)"
    assert table.loc["laten", "MMLU, here"] == "1.0 [-3.0, 5.0]"
    assert table["mean size, here"].tolist() == [NOT_RUN, NOT_RUN, "1.0", NOT_RUN]


def test_numbers_read_well():
    assert interval(-0.04, -2.0, 3.0) == "0.0 [-2.0, 3.0]"
    assert interval(1.26, -0.01, 3.0, signed=True) == "+1.3 [+0.0, +3.0]"
    assert interval(2.0, float("nan"), float("nan")) == "2.0"
    assert [title(task) for task in ("micro_mbpp", "gsm8k", "own")] == ["MBPP", "GSM8K", "own"]


def test_every_method_says_in_one_line_what_it_is():
    found = descriptions()
    assert list(found) == list(methods())
    assert all(len(text) > 20 and "``" not in text and ":mod:" not in text for text in found.values())
    assert "`semalign.training.frontier`" in found["frontier"]
