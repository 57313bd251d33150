"""The paper's tables under our names, and its gaps against the arithmetic of its text (Section 5.2)."""

import pytest

from semalign.book.tables.paper import Gap, Key, paper_gaps, paper_scores, title
from semalign.experiments.profiles import load_profile


def test_the_papers_numbers_stand_under_our_names():
    scores = paper_scores(load_profile("micro"))
    assert scores[Key("none", None, "micro-student", "MMLU")] == 44.20
    assert scores[Key("none", None, "micro-wizard", "MBPP")] == 41.60
    assert scores[Key("semalign", "micro-coder", "micro-student", "HumanEval")] == 20.12
    assert scores[Key("seeking", "micro-teacher", "micro-student", "GSM8K")] == 28.23
    assert len(scores) == 5 * 4 + 2 * 4 * 2


def test_a_profile_with_one_teacher_has_its_numbers_only():
    scores = paper_scores(load_profile("small"))
    assert {key.teacher for key in scores} == {None, "smollm2-135m"}
    assert len(scores) == 5 * 4


def test_gaps_are_the_teachers_score_minus_the_methods_and_a_share_of_what_was_to_gain():
    scores = {Key("none", None, "t", "MMLU"): 50.0, Key("none", None, "s", "MMLU"): 40.0}
    methods = {Key("a", "t", "s", "MMLU"): 47.5, Key("b", "t", "s", "MMLU"): 52.0, Key("c", "t", "s", "MMLU"): 39.0}
    assert paper_gaps({**scores, **methods}) == dict(
        zip(methods, (Gap(2.5, 75.0), Gap(-2.0, 120.0), Gap(11.0, -10.0)), strict=True)
    )


def test_the_papers_mean_gap_is_that_of_its_text():
    gaps = paper_gaps(paper_scores(load_profile("micro")))
    sizes = [gap.points for key, gap in gaps.items() if key[:2] == ("semalign", "micro-teacher")]
    assert sum(sizes) / len(sizes) == pytest.approx(1.44, abs=0.005)


def test_a_task_is_called_as_the_benchmark_that_it_stands_for():
    assert [title(task) for task in ("micro_mbpp", "gsm8k", "own", "a/own.yaml")] == ["MBPP", "GSM8K", "own", "own"]
