"""Verdicts of several tests, and of several cases of one test."""

import pytest

from semalign.book.claims.verdicts import combined, of_parts, over


@pytest.mark.parametrize(
    ("verdicts", "together"),
    [
        (["reproduced", "reproduced"], "reproduced"),
        (["reproduced", "not reproduced"], "reproduced in part"),
        (["reproduced in part", "reproduced in part"], "reproduced in part"),
        (["not reproduced", "undecided", "not run"], "not reproduced"),
        (["undecided", "not run"], "undecided"),
        (["not run", "not run"], "not run"),
        ([], "not run"),
    ],
)
def test_tests_make_one_verdict(verdicts, together):
    assert combined(verdicts) == together


@pytest.mark.parametrize(
    ("verdicts", "together"),
    [
        (["reproduced", "reproduced"], "reproduced"),
        (["reproduced", "undecided"], "reproduced in part"),
        (["reproduced", "not run"], "reproduced in part"),
        (["reproduced in part", "not reproduced"], "reproduced in part"),
        (["not reproduced", "undecided"], "not reproduced"),
        (["undecided", "not run"], "undecided"),
        (["not run"], "not run"),
    ],
)
def test_parts_of_a_claim_make_one_verdict(verdicts, together):
    assert of_parts(verdicts) == together


@pytest.mark.parametrize(
    ("outcomes", "verdict"),
    [
        ([True, True], "reproduced"),
        ([True, None], "reproduced in part"),
        ([True, False], "reproduced in part"),
        ([None, False], "not reproduced"),
        ([None, None], "undecided"),
    ],
)
def test_cases_make_one_verdict(outcomes, verdict):
    assert over(outcomes) == verdict
