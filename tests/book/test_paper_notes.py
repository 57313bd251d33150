"""The notes on the paper's tables, against arithmetic done by hand."""

import re

import pytest

from semalign.book.paper_notes import count, counts_table, share, shares_table


def test_a_share_has_the_window_of_three_rounded_scores():
    found = share(44.20, 52.90, 50.30)
    assert found.value == pytest.approx(6.1 / 8.7, abs=5e-5)
    assert found.low == pytest.approx(6.09 / 8.70, abs=5e-5) and found.high == pytest.approx(6.11 / 8.70, abs=5e-5)


def test_the_note_on_shares_counts_the_benchmarks_and_gives_those_of_table_2():
    text = shares_table()
    assert text.startswith("On 3 of 4 benchmarks") and "on MMLU it is 0.01 higher" in text
    assert "the shares are 0.13 to 0.23" in text
    assert "| GSM8K | 16.07 | 20.55 | 19.21 | 0.7009 | 0.6987 | 0.7031 | 19.206 |" in text


def test_counts_are_whole_numbers_of_answers():
    assert [count(score, 1319) for score in (16.07, 20.55, 20.47, 28.23, 19.21)] == [212, 271, 270, None, None]
    assert [count(score, 500) for score in (17.80, 19.20, 20.60, 18.20, 18.78)] == [89, 96, 103, 91, None]
    assert [count(score, 3280) for score in (14.05, 18.75)] == [461, 615]
    assert re.findall(r"\| Llama2-7B-Chat \|.*", counts_table()) == [
        "| Llama2-7B-Chat | 16.07 | 212 | 1,319 | 1.0 |",
        "| Llama2-7B-Chat | 14.05 | 461 | 3,280 | 2.7 |",
        "| Llama2-7B-Chat | 17.80 | 89 | 500 | 1.7 |",
    ]
    assert "| GSM8K | SemAlign | 19.21 | – | 1,319 |" in counts_table()
