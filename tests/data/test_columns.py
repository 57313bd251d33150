"""Columns of rows, and what is said of the first that does not fit."""

import math

import pytest

from semalign.data.columns import check_columns, missing, place
from semalign.data.row_files import Rows

GOOD = {"t": "x", "n": "f", "w": 3, "l": ["a", ""], "r": "so\n#### -3", "o": None, "a": [1]}
KINDS = {"t": "text", "n": "name", "w": "whole", "l": "texts", "r": "/#### -?[0-9]/", "o": "text?", "a": "any"}


def test_rows_that_fit_pass():
    check_columns([GOOD, {**GOOD, "o": "x", "w": -1}, {key: GOOD[key] for key in GOOD if key != "o"}], KINDS)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("t", 5, "column 't' must be text, it is 5"),
        ("t", None, r"column 't' has no value \(None\)"),
        ("t", math.nan, r"column 't' has no value \(nan\)"),
        ("n", "f()", "column 'n' must be the name of a function, it is 'f()'"),
        ("n", "", "must be the name of a function"),
        ("w", "3", "column 'w' must be a whole number, it is '3'"),
        ("w", True, "must be a whole number"),
        ("w", 2.0, "must be a whole number"),
        ("l", "abcd", "column 'l' must be a list of texts, it is 'abcd'"),
        ("l", ["a", 1], "must be a list of texts"),
        ("l", ["a", None], "must be a list of texts"),
        ("l", [], "must be a list of texts"),
        ("r", "29", "column 'r' must be text with /#### -\\?\\[0-9\\]/, it is '29'"),
        ("r", 29, "must be text with"),
        ("o", 1, "column 'o' must be text, it is 1"),
        ("a", "x", "column 'a' is 'x', which is no list as in f.jsonl, line 1"),
        ("t", ["x" * 100], f"it is \\['{'x' * 58}…"),
    ],
)
def test_the_first_row_that_does_not_fit_is_named(column, value, message):
    message = message.replace("f()", r"f\(\)")
    rows = Rows([GOOD, {**GOOD, column: value}, {}], ["f.jsonl, line 1", "f.jsonl, line 3", "f.jsonl, line 4"])
    with pytest.raises(ValueError, match=rf"^f.jsonl, line 3: .*{message}") as error:
        check_columns(rows, KINDS, "the task sums")
    assert str(error.value).endswith("(read by the task sums)")


def test_a_pattern_may_have_slashes_and_its_column_may_be_left_out():
    check_columns([{"path": "a/b/"}, {}], {"path": "//b/$/?"})
    with pytest.raises(ValueError, match="must be text with //b/"):
        check_columns([{"path": "a-b"}], {"path": "//b/"})


def test_a_column_that_is_not_there_is_named_with_those_that_are():
    with pytest.raises(ValueError, match=r"^row 2: no column 'answer', only question, solution$"):
        check_columns([{"question": "", "answer": ""}, {"question": "", "solution": ""}], {"answer": "text"})


def test_whole_numbers_and_others_go_together():
    check_columns([{"a": 1}, {"a": 2.5}], {"a": "any"})
    with pytest.raises(ValueError, match="is True, which is no float"):
        check_columns([{"a": 1}, {"a": True}], {"a": "any"})


def test_places_and_what_is_missing():
    assert place([{}, {}], 1) == "row 2"
    assert place(Rows([{}], ["here"]), 0) == "here"
    assert missing(None) and missing(math.nan) and not any(map(missing, [0, "", [], False]))
