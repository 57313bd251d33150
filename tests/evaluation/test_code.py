"""Programs of generated code and pass@k, against numbers worked out by hand."""

from itertools import combinations

import pytest

from semalign.evaluation import code as scoring
from semalign.evaluation.code import parsable, pass_at_k, run_humaneval, run_parsable_humaneval, unbiased_pass_at_k

DOUBLE = {
    "prompt": 'def double(x):\n    """Return twice x."""\n',
    "test": "def check(candidate):\n    assert candidate(2) == 4\n",
    "entry_point": "double",
}


def test_pass_at_k_is_the_share_of_draws_that_hold_a_pass():
    assert unbiased_pass_at_k(20, 3, 1) == 0.15
    assert unbiased_pass_at_k(4, 2, 2) == pytest.approx(5 / 6)  # of six pairs one has no pass
    for n, passed, k in ((5, 2, 3), (6, 1, 4), (6, 5, 2), (7, 0, 3), (7, 7, 1)):
        draws = list(combinations([True] * passed + [False] * (n - passed), k))
        assert unbiased_pass_at_k(n, passed, k) == pytest.approx(sum(map(any, draws)) / len(draws))


@pytest.mark.parametrize(("n", "passed", "k"), [(5, 6, 1), (5, 1, 6), (5, 1, 0), (5, -1, 1)])
def test_impossible_counts_are_refused(n, passed, k):
    with pytest.raises(ValueError, match=f"n={n}, passed={passed}, k={k}"):
        unbiased_pass_at_k(n, passed, k)


def test_pass_at_10_needs_ten_samples():
    assert pass_at_k({}, [[{"passed": True}, {"passed": False}]]) == {"pass@1": 0.5}
    twenty = [{"passed": i < 2} for i in range(20)]
    # 1 - C(18, 10) / C(20, 10) = 1 - (10 * 9) / (20 * 19)
    assert pass_at_k({}, [twenty]) == pytest.approx({"pass@1": 0.1, "pass@10": 1 - 90 / 380})


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("def f():\n    return 1\n", "def f():\n    return 1\n"),
        ("def f():\n    return 1\nHere you are:\n", "def f():\n    return 1\n"),
        ("def f():\n    return 1\n    if x ==", "def f():\n    return 1\n"),
        ("no code at all", ""),
        ("", ""),
        ("(" * 5000, ""),
        ("a = '\\d'\nb = \x00", "a = '\\d'\n"),
    ],
)
def test_the_parsable_beginning(program, expected, recwarn):
    assert parsable(program) == expected
    assert not recwarn.list


def test_prose_after_the_body_fails_strictly_and_not_flexibly():
    generations = [["    return 2 * x\n", "    return 2 * x\nThat is it.\n", "    return x\nThat is it.\n"]]
    passed = [[outcome["passed"] for outcome in run(generations, [DOUBLE])[0]] for run in
              (run_humaneval, run_parsable_humaneval)]  # fmt: skip
    assert passed == [[True, False, False], [True, True, False]]


def test_equal_samples_run_once(monkeypatch):
    ran = []
    run_many = scoring.run_many
    monkeypatch.setattr(scoring, "run_many", lambda cases: ran.extend(cases) or run_many(cases))
    good, bad = "    return 2 * x\n", "    return x\n"
    outcomes = run_humaneval([[good, bad, good], [bad]], [DOUBLE, DOUBLE])
    assert [[outcome["passed"] for outcome in part] for part in outcomes] == [[True, False, True], [False]]
    assert len(ran) == 2
