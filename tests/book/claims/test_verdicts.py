"""Verdicts of several tests, and of several cases of one test."""

import pytest

from semalign.book.claims.verdicts import combined, over


@pytest.mark.parametrize(
    ("verdicts", "together"),
    [
        (["reproduced", "reproduced"], "reproduced"),
        (["reproduced", "not"], "partly"),
        (["partly", "partly"], "partly"),
        (["not", "undecided", "not run"], "not"),
        (["undecided", "not run"], "undecided"),
        (["not run", "not run"], "not run"),
        ([], "not run"),
    ],
)
def test_tests_make_one_verdict(verdicts, together):
    assert combined(verdicts) == together


@pytest.mark.parametrize(
    ("outcomes", "verdict"),
    [
        ([True, True], "reproduced"),
        ([True, None], "partly"),
        ([True, False], "partly"),
        ([None, False], "not"),
        ([None, None], "undecided"),
    ],
)
def test_cases_make_one_verdict(outcomes, verdict):
    assert over(outcomes) == verdict
