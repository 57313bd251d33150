"""Verdicts of paired differences, on scores that are made by hand."""

import pytest
from helpers.claims import FakeScores

from semalign.book.claims.rules import RULES, comparisons, evaluate
from semalign.book.claims.verdicts import NotRunError


@pytest.fixture
def scored(monkeypatch):
    def use(right, **options):
        monkeypatch.setattr(comparisons, "Scores", lambda name, patterns: FakeScores(right, **options))

    return use


def right(**scores):
    """Return right answers from the general teacher by task and method, as in ``a_semalign=100``."""
    return {(name[2:], name[0], "general"): k for name, k in scores.items()}


def better(**given):
    return evaluate("better", [], {"profile": "p", "theirs": "none", **given})


def test_a_clear_gain_everywhere_reproduces_and_one_somewhere_partly(scored):
    scored(right(a_semalign=140, a_none=100, b_semalign=120, b_none=90), tasks=("a", "b"))
    found = better()
    assert found.verdict == "reproduced" and found.numbers["scores"] == "a 50.0 → 70.0, b 45.0 → 60.0"
    assert found.numbers["above"] == 2
    assert found.numbers["untrained"] == "; 1 of the 2 runs of `semalign` that measured it did not train"
    scored(right(a_semalign=140, a_none=100, b_semalign=90, b_none=91), tasks=("a", "b"))
    assert better().verdict == "reproduced in part"


def test_no_gain_is_refuted_by_an_interval_below_the_margin_and_open_otherwise(scored):
    scored(right(a_semalign=100, a_none=100))
    assert better().verdict == "not reproduced"
    scored(right(a_semalign=102, a_none=100))  # +1.0 [0.0, 2.5]
    assert better().verdict == "undecided" and better(margin=5.0).verdict == "not reproduced"
    scored(right(a_semalign=100, a_none=140))
    assert better().verdict == "not reproduced"


def test_tasks_and_further_teachers_can_be_asked_for(scored):
    right = {("semalign", "code", "coder"): 150, ("seeking", "code", "coder"): 100}
    scored(right)
    found = better(theirs="seeking", further=True)
    assert found.verdict == "reproduced" and found.numbers["each"].startswith("code from coder +25.0 [")
    assert not found.numbers["untrained"]
    scored(right, idle=[("semalign", "code", "coder")])
    found = better(theirs="seeking", further=True)
    assert found.numbers["untrained"] == "; 1 of 1 runs of `semalign` did not train"  # of those from the coder
    assert found.verdict == "undecided"


@pytest.mark.parametrize("idle", ["x", "y"])
def test_a_method_that_did_not_train_decides_nothing(scored, idle):
    numbers = right(a_x=100, a_y=140, b_x=140, b_y=100)
    given = {"profile": "p", "ours": "x", "theirs": "y", "margin": 3.0}
    scored(numbers, tasks=("a", "b"), idle=[(idle, "b", "general"), (idle, "b", "coder")])
    assert better(ours="x", theirs="y").verdict == evaluate("no_worse", [], given).verdict == "not reproduced"
    scored(numbers, tasks=("a", "b"), idle=[(idle, "a", "general")])
    assert better(ours="x", theirs="y").verdict == evaluate("no_worse", [], given).verdict == "reproduced in part"
    scored(numbers, tasks=("a", "b"), idle=[(idle, task, "general") for task in "ab"])
    assert better(ours="x", theirs="y").verdict == evaluate("no_worse", [], given).verdict == "undecided"


def test_a_profile_without_further_teachers_is_not_run(monkeypatch):
    scores = FakeScores(right(a_semalign=140, a_none=100))
    scores.profile.teachers.clear()
    monkeypatch.setattr(comparisons, "Scores", lambda name, patterns: scores)
    with pytest.raises(NotRunError, match="profile p has no further teachers"):
        better(further=True)


def test_a_method_is_no_worse_where_it_is_not_below_by_a_margin(scored):
    given = {"profile": "p", "ours": "x", "theirs": "y", "margin": 3.0}
    # minus 1.5 points: [-3.5, 0.0] at 95%, and from -3.0 on one side at 5%
    for ours, verdict in {
        140: "reproduced",
        101: "reproduced",
        98: "reproduced",
        97: "undecided",
        60: "not reproduced",
    }.items():
        scored(right(a_x=ours, a_y=100))
        assert evaluate("no_worse", [], given).verdict == verdict, ours


def test_holms_correction_is_over_all_cases_of_a_claim(scored, monkeypatch):
    families = []
    monkeypatch.setattr(comparisons, "holm", lambda values: families.append(len(values)) or list(values))
    scored(right(a_x=140, a_y=100, a_z=100, a_none=100, b_x=120, b_y=90, b_z=80, b_none=100), tasks=("a", "b"))
    assert better(ours="x", theirs=["y", "z"]).numbers["each"].startswith("minus `y` on a +20.0 [")
    evaluate("content_kept", [], {"profile": "p", "ours": "x", "controls": ["y", "z"]})
    assert families == [4, 4, 2]


def test_nothing_to_explain_without_a_gain(scored):
    given = {"profile": "p", "controls": ["x"]}
    scored(right(a_semalign=140, a_none=100, a_x=100))
    assert evaluate("content_kept", [], given).verdict == "reproduced"
    scored(right(a_semalign=140, a_none=100, a_x=140))
    assert evaluate("content_kept", [], given).verdict == "not reproduced"
    scored(right(a_semalign=100, a_none=100, a_x=100))
    assert evaluate("content_kept", [], given).verdict == "undecided"


def test_less_harm_than_by_a_control_is_no_content_that_is_kept(scored):
    given = {"profile": "p", "controls": ["x"]}
    scored(right(a_semalign=80, a_none=120, a_x=30))
    found = evaluate("content_kept", [], given)
    assert found.verdict == "undecided" and found.numbers["each"].startswith("minus `x`: a +25.0 [")
    numbers = right(a_semalign=140, a_none=100, a_x=140, b_semalign=80, b_none=120, b_x=30)  # a gain on one task only
    scored(numbers, tasks=("a", "b"))
    assert evaluate("content_kept", [], given).verdict == "not reproduced"
    scored(numbers | right(a_x=100), tasks=("a", "b"))
    assert evaluate("content_kept", [], given).verdict == "reproduced in part"
    numbers |= right(a_y=100, b_y=80)
    scored(numbers, tasks=("a", "b"))
    assert evaluate("content_kept", [], {**given, "controls": ["x", "y"]}).verdict == "reproduced in part"


def test_teachers_are_compared_by_what_is_reached_from_them(scored):
    scored({("semalign", "code", "coder"): 150, ("semalign", "code", "general"): 100})
    assert evaluate("teachers_differ", [], {"profile": "p"}).verdict == "reproduced"
    scored(
        {("semalign", "code", "coder"): 100, ("semalign", "code", "general"): 150},
        idle=[("semalign", "code", "general")],
    )
    assert evaluate("teachers_differ", [], {"profile": "p"}).verdict == "undecided"
    scored({("semalign", "code", "coder"): 100, ("semalign", "code", "general"): 100})
    assert evaluate("teachers_differ", [], {"profile": "p"}).verdict == "not reproduced"


def test_an_unknown_rule_is_an_error_with_the_known_ones():
    assert "better" in RULES
    with pytest.raises(ValueError, match="beter"):
        evaluate("beter", [], {})
    with pytest.raises(NotRunError):
        evaluate("parallel", ["nowhere/*.json"], {"mark": 0.9, "partly": 0.5})
