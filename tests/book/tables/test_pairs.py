"""Tables of paired differences, from differences made by hand."""

import pandas as pd
import pytest
from helpers.profiles import with_own_task

from semalign.book.markdown import numbers
from semalign.book.tables.pairs import equality_table, pair_table, word_table
from semalign.experiments.profiles import load_profile
from semalign.results.pairs import COLUMNS, NLL, SCORE

PAIRS = [("semalign", "permuted-atoms"), ("semalign", "none")]


@pytest.fixture
def profile():
    return load_profile("micro-sibling")


def lines(*found):
    return pd.DataFrame(
        [
            [task, "semalign", minus, value, value - 1, value + 1, p, p, *ends, equal, 5, 5, 500, value == 0, False]
            for task, minus, value, p, ends, equal in found
        ],
        columns=COLUMNS,
    )


FOUND = lines(
    ("micro_mmlu", "permuted-atoms", 0.5, 0.2, (-0.3, 1.3), True),
    ("micro_gsm8k", "permuted-atoms", -1.5, 0.01, (-1.9, -1.1), True),
    ("micro_mbpp", "permuted-atoms", 0.0, 0.9, (-3.0, 3.0), False),
    ("micro_mmlu", "none", 9.0, 0.04, (8.2, 9.8), False),
)


def test_a_pair_has_a_column_for_each_task(profile):
    table = pair_table(profile, PAIRS, FOUND, SCORE)
    assert table["minus"].tolist() == ["permuted-atoms", "student as it is"]
    shown = [str(cell).replace("\N{NO-BREAK SPACE}", " ") for cell in table.iloc[0, 2:]]
    assert shown == ["+0.5 ± 1.0", "**-1.5 ± 1.0**", "not run", "+0.0 ± 1.0"]
    assert str(pair_table(profile, PAIRS, FOUND, NLL).iloc[0, 2]).startswith("+0.5000")


def test_a_task_of_the_users_own_is_found_by_its_name(profile):
    found = lines(("arithmetic", "permuted-atoms", 0.5, 0.2, (-0.3, 1.3), True))
    assert pair_table(with_own_task(profile), PAIRS, found, SCORE).loc[0, "arithmetic"].value == 0.5


def test_equal_and_different_are_two_questions(profile):
    table = equality_table(profile, PAIRS[:1], FOUND, SCORE)
    assert [str(cell) for cell in table.iloc[0]] == [
        "score", "SemAlign", "permuted-atoms",
        "equal [-0.3, +1.3]", "equal and differs [-1.9, -1.1]", "not run", "open\N{NO-BREAK SPACE}‡ [-3.0, +3.0]",
    ]  # fmt: skip
    found = numbers(table).iloc[0]
    assert found[["MMLU", "MMLU, low", "MMLU, high"]].tolist() == ["equal", -0.3, 1.3]
    assert str(equality_table(profile, PAIRS[1:], FOUND, SCORE).iloc[0, 3]) == "differs [+8.2, +9.8]"


def test_the_words_alone_stand_together_for_all_measures(profile):
    table = word_table(profile, PAIRS, {NLL: FOUND, SCORE: FOUND})
    assert table["measure"].tolist() == ["held-out NLL"] * 2 + ["score"] * 2
    assert table.iloc[0].tolist() == [
        "micro-sibling", "held-out NLL", "SemAlign", "permuted-atoms", "equal", "equal and differs", "not run",
        "open\N{NO-BREAK SPACE}‡",
    ]  # fmt: skip
    assert table.iloc[3, 4:].tolist() == ["differs", "not run", "not run", "not run"]


def test_a_difference_of_one_seed_is_never_bold_and_has_no_verdict(profile):
    alone = FOUND.assign(single=True, p_holm=float("nan"), equal=False)
    assert str(pair_table(profile, PAIRS, alone, SCORE).iloc[0, 3]).replace("\N{NO-BREAK SPACE}", " ") == (
        "-1.5 ± 1.0 (one seed)"
    )
    table = equality_table(profile, PAIRS[:1], alone, SCORE)
    assert [str(cell) for cell in table.iloc[0, 3:5]] == ["one seed [-0.3, +1.3]", "one seed [-1.9, -1.1]"]
    assert numbers(table).loc[0, "MMLU"] == "one seed"
    assert set(word_table(profile, PAIRS, {NLL: alone}).iloc[0, 4:]) == {"one seed", "not run"}
