"""Verdicts on the rankings of Table 2, on scores that are made by hand."""

import numpy as np
import pytest
from helpers.claims import FakeScores

from semalign.book.claims.rules import evaluate, rankings
from semalign.book.claims.verdicts import NotRunError

TEACHERS = ("general", "coder")
ALIKE = {"semalign": 100, "seeking": 100, "laten": 100}


@pytest.fixture
def scored(monkeypatch):
    """Return a function that sets the right answers of 200 by method, on the task ``code`` from both teachers."""

    def use(general, coder, **options):
        of = dict(zip(TEACHERS, (general, coder), strict=True))
        right = {(name, "code", teacher): n for teacher, found in of.items() for name, n in found.items()}
        monkeypatch.setattr(rankings, "Scores", lambda name, patterns: FakeScores(right, **options))

    return use


def leads(least=2):
    return evaluate("leads", [], {"profile": "p", "others": ["seeking", "laten"], "least": least})


def larger_margin():
    return evaluate("larger_margin", [], {"profile": "p", "others": ["seeking", "laten"]})


def test_a_method_leads_a_setting_where_it_is_above_both_others(scored):
    first = {"semalign": 150, "seeking": 100, "laten": 90}
    scored(first, first)
    found = leads()
    assert found.verdict == "reproduced" and found.numbers["won"] == found.numbers["of"] == 2
    assert found.numbers["each"].startswith("code from general minus `seeking` +25.0 [")
    scored(first, {**first, "laten": 150})
    assert leads().verdict == "reproduced in part" and leads(least=1).verdict == "reproduced"
    scored(ALIKE, {**first, "seeking": 170})
    assert leads().verdict == "not reproduced" and leads().numbers["won"] == 0
    with pytest.raises(NotRunError, match="profile p has 2 settings, and 3 of them are asked for"):
        leads(least=3)


def test_settings_in_which_a_method_did_not_train_are_open(scored):
    idle = [("laten", "code", teacher) for teacher in TEACHERS]
    scored(ALIKE | {"semalign": 150}, ALIKE | {"semalign": 150}, idle=idle)
    assert leads().verdict == "undecided"
    scored(ALIKE | {"seeking": 150}, ALIKE | {"semalign": 150}, idle=idle)
    assert leads().verdict == "not reproduced" and leads(least=1).verdict == "undecided"


def test_margins_are_compared_between_teachers(scored):
    scored({"semalign": 110, "seeking": 100, "laten": 90}, {"semalign": 160, "seeking": 100, "laten": 100})
    found = larger_margin()  # of Seeking 30 points from the coder and 5 from the general teacher
    assert found.verdict == "reproduced" and found.numbers["above"] == 2 and found.numbers["idle"] == 0
    assert found.numbers["each"].startswith("code from coder, over `seeking` +25.0 [")
    scored(ALIKE, ALIKE)
    assert larger_margin().verdict == "not reproduced"
    scored(ALIKE, ALIKE | {"semalign": 160}, idle=[("laten", "code", "general")])
    found = larger_margin()
    assert found.verdict == "reproduced in part" and found.numbers["idle"] == 1
    scored(ALIKE, ALIKE | {"semalign": 160}, idle=[("semalign", "code", "coder")])
    assert larger_margin().verdict == "undecided"


def test_a_margin_is_between_runs_of_the_same_seed(monkeypatch, scored):
    scored(ALIKE, ALIKE)
    scores = rankings.Scores("p", [])
    monkeypatch.setattr(
        type(scores),
        "flags",
        lambda self, method, task, teacher: np.array([[1.0, 0.0], [1.0, 1.0]]) * (method == "semalign"),
    )
    assert rankings._margin(scores, "semalign", "seeking", "code", "coder").tolist() == [[100.0, 0.0], [100.0, 100.0]]


def test_without_further_teachers_neither_is_run(monkeypatch):
    scores = FakeScores({})
    scores.profile.teachers.clear()
    monkeypatch.setattr(rankings, "Scores", lambda name, patterns: scores)
    for run in (leads, larger_margin):
        with pytest.raises(NotRunError, match="no further teachers"):
            run()


def test_the_student_passes_the_general_teacher_from_every_further_one(scored):
    def passes():
        return evaluate("passes_general", [], {"profile": "p"})

    teacher = {"teacher": 100}
    scored(teacher, {"semalign": 150})
    assert passes().verdict == "reproduced" and passes().numbers["each"].startswith("code from coder +25.0 [")
    scored(teacher, {"semalign": 60})
    assert passes().verdict == "not reproduced" and passes().numbers["below"] == 1
    scored(teacher, {"semalign": 60}, idle=[("semalign", "code", "coder")])
    assert passes().verdict == "undecided"
    assert passes().numbers["untrained"] == "; 1 of 1 runs of `semalign` did not train"
