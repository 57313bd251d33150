"""Tables and texts as the book shows them."""

import numpy as np
import pandas as pd
import pytest

from semalign.book.markdown import (
    SPACE,
    Cell,
    Interval,
    commands,
    folded,
    interval,
    nested_list,
    numbers,
    rounded,
    settings_text,
    table,
)


def test_a_table_trims_decimals_and_keeps_its_columns_apart():
    frame = pd.DataFrame({"method": ["a|b", "c"], "score": [68.123, np.nan], "n": [500, 41]})
    lines = table(frame, "Scores.", "tab-scores", decimals=1)._repr_markdown_().splitlines()
    assert lines == [
        ":::{table} Scores.",
        ":name: tab-scores",
        "",
        "| method | score | n |",
        "| :-- | --: | --: |",
        "| a\\|b | 68.1 | 500 |",
        "| c | – | 41 |",
        ":::",
    ]


def test_numbers_read_well():
    def read(*given, **options):
        return str(Interval(*given, **options)).replace(SPACE, " ")

    assert read(-0.04, -2.0, 3.0) == "0.0 ± 2.5"
    assert read(1.26, -0.01, 3.0, signed=True) == "+1.3 ± 1.5"
    assert read(2.0) == "2.0" and read(0.12344, 0.1, 0.2, decimals=4) == "0.1234 ± 0.0500"
    assert read(2.0, 1.0, 3.0, bold=True, note=" (25%)") == "**2.0 ± 1.0** (25%)"


def test_sentences_have_both_ends_of_an_interval():
    assert interval(-0.04, -2.0, 3.0) == "0.0 [-2.0, 3.0]"
    assert interval(1.26, -0.01, 3.0, signed=True) == "+1.3 [+0.0, +3.0]"
    assert interval(2.0, float("nan"), float("nan")) == "2.0"


@pytest.mark.parametrize(
    ("cells", "side"),
    [
        ([Interval(1, 0, 2), "not run"], "--:"),
        (["1.50", "–"], "--:"),
        (["12 %", "3.2 M"], "--:"),
        (["0.1 †", "0.03"], "--:"),
        (["0.1 (one seed)", "not run"], "--:"),
        ([f"31.5{SPACE}/{SPACE}25.4", "–"], "--:"),
        ([Cell(f"0.12{SPACE}→{SPACE}0.13", {"before": 0.12, "after": 0.13}), "–"], "--:"),
        ([Cell(f"a{SPACE}1 > b{SPACE}2", {"a": 1, "b": 2})], ":--"),
        (["**54.5**", "0.45 (66.5)", "2.0 (-3%)"], "--:"),
        (["a", Interval(1)], ":--"),
        (["–", ""], ":--"),
        (["3 to 5", "5"], ":--"),
    ],
)
def test_columns_of_numbers_are_aligned_to_the_right(cells, side):
    text = table(pd.DataFrame({"x": cells}), "x", "tab-x").text
    assert text.splitlines()[4] == f"| {side} |"


def test_data_hold_numbers_where_the_table_has_intervals():
    frame = pd.DataFrame({"name": ["a", "b"], "score": [Interval(2.0, 1.0, 4.0, bold=True), "not run"]})
    found = numbers(frame)
    assert found.columns.tolist() == ["name", "score", "score, low", "score, high"]
    assert found.iloc[0].tolist() == ["a", 2.0, 1.0, 4.0] and found.iloc[1, 1:].isna().all()
    assert found.dtypes.iloc[1:].eq(float).all()


def test_data_hold_nothing_where_a_number_is_missing():
    frame = pd.DataFrame({"steps": ["5", "–", "not run"], "kind": ["a", "–", ""]})
    found = numbers(frame)
    assert found["steps"].isna().tolist() == [False, True, True] and found["kind"].tolist() == ["a", "–", ""]


def test_data_hold_columns_of_their_own_where_the_table_has_a_text():
    frame = pd.DataFrame({"layers": [Cell("3 → 2", {"teacher": 3, "student": 2}), ""], "n": [1, 2]})
    assert "| 3 → 2 | 1 |" in table(frame, "x", "tab-x").text
    found = numbers(frame)
    assert found.columns.tolist() == ["teacher", "student", "n"]
    assert found.iloc[0].tolist() == [3, 2, 1] and found.iloc[1, :2].isna().all()


def test_a_folded_table_is_below_its_title():
    text = folded(table(pd.DataFrame({"x": [1]}), "One.", "tab-x"), "Numbers").text
    assert text.startswith("::::{dropdown} Numbers\n:::{table} One.\n") and text.endswith(":::\n::::\n")


def test_settings_commands_and_lists_as_text():
    assert (
        settings_text({"learning_rate": 3e-5, "layers": 8.0, "map": "none"})
        == "learning_rate 3e-05, layers 8, map none"
    )
    assert commands("Run", "a", "b").text == "Run\n\n```sh\na\nb\n```"
    assert commands("Run", "a -s b=c").text.endswith(
        "\n```\n\nEach `-s` sets one of the [settings](#table-of-settings).\n"
    )
    assert nested_list({"Who?": ["she", "he"]}) == "- **Who?**\n  - she\n  - he"


def test_a_number_that_rounds_to_zero_has_no_sign():
    assert "| 0.00 |" in table(pd.DataFrame({"x": [-0.004]}), "x", "tab-x").text
    assert str(Interval(-0.04)) == "0.0" and f"{rounded(-1e-9, 4):+.4f}" == "+0.0000"
