"""Gaps to the teacher, on scores that are made by hand."""

import numpy as np
import pytest
from helpers.claims import FakeScores

from semalign.book.claims.rules import evaluate, gaps


@pytest.fixture
def scored(monkeypatch):
    def use(teacher, idle=(), **methods):
        names = ("teacher", "semalign", "other")
        values = {"teacher": teacher, **methods}
        right = {(name, task, "general"): values[name][i] for name in names for i, task in enumerate("ab")}
        fake = FakeScores(right, tasks=("a", "b"), idle=[(*each, "general") for each in idle])
        for module in (gaps, gaps.cases_of.__globals__):
            target = module if isinstance(module, dict) else vars(module)
            monkeypatch.setitem(target, "Scores", lambda name, patterns: fake)

    return use


def test_the_mean_gap_is_over_tasks_and_without_signs(scored):
    scored((150, 150), semalign=(140, 160), other=(100, 100))
    found = evaluate("mean_gap", [], {"profile": "p", "others": ["other"]})
    assert found.numbers["means"] == "`semalign` 5.0, `other` 25.0" and found.verdict == "reproduced"
    scored((150, 150), semalign=(100, 100), other=(140, 160))
    assert evaluate("mean_gap", [], {"profile": "p", "others": ["other"]}).verdict == "not reproduced"
    scored((150, 150), semalign=(140, 140), other=(141, 139))
    assert evaluate("mean_gap", [], {"profile": "p", "others": ["other"]}).verdict == "undecided"


def test_items_of_tasks_of_other_sizes_weigh_as_their_tasks():
    small, large = np.full((1, 10), 30.0), np.full((2, 90), -10.0)
    assert gaps._sizes([np.vstack([small, small]), large]).mean() == pytest.approx(20.0)


def test_the_closest_method_counts_beyond_chance_only(scored):
    scored((150, 150), semalign=(149, 120), other=(100, 121))
    found = evaluate("closest", [], {"profile": "p", "others": ["other"]})
    assert found.verdict == "reproduced in part" and (found.numbers["won"], found.numbers["of"]) == (1, 2)
    assert found.numbers["each"] == "a `semalign` 0.5 (`semalign` 0.5), b `other` 14.5 (`semalign` 15.0)"


def test_a_smallest_gap_that_is_not_shown_refutes_nothing(scored):
    scored((150, 150), semalign=(100, 100), other=(101, 101))
    assert evaluate("closest", [], {"profile": "p", "others": ["other"]}).verdict == "undecided"
    scored((150, 150), semalign=(150, 150), other=(100, 100))
    assert evaluate("closest", [], {"profile": "p", "others": ["other"]}).verdict == "reproduced"


def test_a_bound_holds_the_whole_interval(scored):
    scored((150, 150), semalign=(150, 150), other=(0, 0))
    assert evaluate("within_of_teacher", [], {"profile": "p", "bound": 2.6}).verdict == "reproduced"
    scored((150, 150), semalign=(148, 100), other=(0, 0))  # 1.0 [0.0, 2.5] and 25 points
    found = evaluate("within_of_teacher", [], {"profile": "p", "bound": 2.6})
    assert found.verdict == "reproduced in part" and found.numbers["largest"] == 25.0


def test_where_ours_did_not_train_nothing_is_decided(scored):
    methods = {"semalign": (100, 100), "other": (140, 160)}
    gap, bound = {"profile": "p", "others": ["other"]}, {"profile": "p", "bound": 2.6}

    def verdicts():
        rules = {"mean_gap": gap, "closest": gap, "within_of_teacher": bound}
        return [evaluate(rule, [], given).verdict for rule, given in rules.items()]

    scored((150, 150), idle=[("semalign", "b")], **methods)
    assert verdicts() == ["not reproduced", "not reproduced", "not reproduced"]
    scored((150, 150), idle=[("semalign", "b")], semalign=(149, 100), other=(100, 100))
    assert evaluate("closest", [], gap).verdict == "reproduced in part"  # one of the two tasks
    scored((150, 150), idle=[("other", "a"), ("other", "b")], **methods)
    assert verdicts() == ["undecided", "undecided", "not reproduced"]
