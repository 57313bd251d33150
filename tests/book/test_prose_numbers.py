"""No number of the book's prose was typed that is a measurement: those come from records."""

import re
from decimal import Decimal
from pathlib import Path

import pytest
from helpers.prose import allowed, bare, known, leaves, numbers, prose_of, unexplained, value

from semalign.book.claims.ledger import read_ledger
from semalign.book.numbers_role import number

ROOT = Path(__file__).parents[2]
PAGES = [*sorted((ROOT / "book").glob("*.md")), *sorted((ROOT / "notebooks").glob("*.py"))]
SAID = {  # of the paper's text, besides its tables; tests/test_paper_tables.py computes most of them
    1: ["about 10 s"],
    14: ["1.44 points, Seeking 3.92 and LaTen 3.43"],
    15: ["0.08 points"],
    16: ["2.60, 1.34, 1.41 and 0.42", "2.60"],
    36: [
        "on HumanEval +4.07 and +4.42 against +1.90, on MBPP +0.95 and +1.38 against -1.82",
        "over LaTen +6.10, +5.44 against +2.71, and +4.55, +2.58 against +0.58",
    ],
}
SENTENCE = "The student scores 51.07 on 1,319 items ([Table 1](a9.md)), with rank 16, in 3 of 7 tries."


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_each_number_of_a_page_is_the_papers_a_setting_or_a_definition(path, monkeypatch):
    monkeypatch.setenv("SEMALIGN_ROOT", str(ROOT))
    found = unexplained(prose_of(path), allowed().get(path.name, ()))
    assert not found, "take them from a record by {num}`FILE:FIELD:FORMAT`, or by an f-string in a notebook"


def test_the_ledger_types_numbers_of_the_paper_and_of_what_its_rules_are_given_only(monkeypatch):
    monkeypatch.setenv("SEMALIGN_ROOT", str(ROOT))
    for claim in read_ledger().claims:
        assert not unexplained(f"{claim.claim}. {claim.paper}", SAID.get(claim.number, ())), claim.number
        given = {
            Decimal(str(leaf)) for test in claim.tests for leaf in leaves(test.given) if isinstance(leaf, float | int)
        }
        typed = {value(number) for number, _ in numbers(claim.test)} - known()
        assert typed <= given or not claim.tests, claim.number
        for test in claim.tests:
            assert not re.search(r"\d", re.sub(r"\{[^}]*\}", "", test.text)), test.text


def test_a_measurement_that_is_typed_is_found_with_its_sentence(monkeypatch):
    monkeypatch.setenv("SEMALIGN_ROOT", str(ROOT))
    found = unexplained(SENTENCE)
    assert [line.split()[0] for line in found] == ["51.07", "1,319", "7"]
    assert unexplained("In the paper it scores 50.30 and 19.21, at a rate of 0.0003 and with 1000 rows.") == []


def test_a_changed_digit_is_found(monkeypatch):
    """In a number of the paper, in a setting, and in a phrase that a page is allowed to have."""
    monkeypatch.setenv("SEMALIGN_ROOT", str(ROOT))
    assert unexplained("SemAlign scores 50.30 with rank 16") == []
    assert unexplained("SemAlign scores 50.31 with rank 16") == ["50.31 in “SemAlign scores 50.31 with rank 16”"]
    assert unexplained("SemAlign scores 50.30 with rank 17") == ["17 in “SemAlign scores 50.30 with rank 17”"]
    text, phrases = prose_of(ROOT / "book" / "decisions.md"), allowed()["decisions.md"]
    assert unexplained(text, phrases) == []
    with pytest.raises(ValueError, match=r"the phrase 'top-p 0\.95' is not in the text"):
        unexplained(text.replace("top-p 0.95", "top-p 0.96"), phrases)


def test_code_directives_formulas_roles_and_targets_are_no_prose():
    blocks = "```sh\nrun 31\n```\n\n:::{table} T 31\n31\n:::\n\n$$\n31\n$$\n"
    text = f"`x = 31`, $3^7$, {{num}}`a.json:b31:.2f`, [see](p31.md).\n\n{blocks}"
    assert not re.search(r"31|37|3\^7", bare(text))


def test_names_and_years_are_no_measurements(monkeypatch):
    monkeypatch.setenv("SEMALIGN_ROOT", str(ROOT))
    assert unexplained("Fig. 4 and 6, Tables 3 to 5, Section 5.2, Python 3.11, 3.12 or 3.13, May 2026") == []
    assert unexplained("SmolLM2-135M, float32, Llama 2 7B, micro-HumanEval") == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_each_number_that_a_page_takes_from_a_record_is_there(path, monkeypatch):
    monkeypatch.setenv("SEMALIGN_ROOT", str(ROOT))
    for asked in re.findall(r"\{num\}`([^`]+)`", prose_of(path)):
        if not asked.startswith("FILE:"):
            assert re.search(r"\d", number(asked)), asked


def test_every_page_with_allowed_phrases_exists():
    assert set(allowed()) <= {path.name for path in PAGES}
