"""Verdicts in prose."""

import pytest
import yaml
from helpers.sphinx_pages import build_text

from semalign.book.claims import page
from semalign.book.claims.verdict_role import in_words
from semalign.book.claims.verdicts import Finding

TESTS = [
    {"subject": "s", "rule": "cost_ratio", "records": ["{profile}/*.json"], "text": "t", "command": "c",
     "given": {"profile": ["micro-tuned", "micro"], "theirs": "sft", "mark": 1.0, "partly": 2.0}},
]  # fmt: skip
CLAIM = {"number": 1, "claim": "c", "section": "s", "paper": "p", "test": "t", "chapter": "index", "tests": TESTS}
CONFIGURATION = """from semalign.book.claims.verdict_role import VerdictRole
extensions = ['myst_parser']
def setup(app):
    app.add_role('verdict', VerdictRole())
"""


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMALIGN_ROOT", str(tmp_path))
    page.ledger.cache_clear()
    (tmp_path / "data" / "results" / "micro-tuned").mkdir(parents=True)
    (tmp_path / "data" / "results" / "micro-tuned" / "some.json").write_text("{}")
    (tmp_path / "data" / "claims.yaml").write_text(yaml.safe_dump({"groups": [{"group": "g", "claims": [CLAIM]}]}))
    yield tmp_path
    page.ledger.cache_clear()


def found(verdict):
    (test,) = page.ledger().claims[0].all_tests
    test.__dict__["finding"] = Finding(verdict)


def test_the_verdict_is_that_of_one_profile_and_not_run_without_its_records(root):
    found("reproduced in part")
    assert page.verdict("1:micro-tuned") == "reproduced in part" and page.verdict("1:micro") == "not run"
    assert page.verdict("1:micro-tuned,micro") == "reproduced in part,not run"


@pytest.mark.parametrize("wrong", ["1", "1:other", "2:micro", "micro-tuned", "1:micro,other", "1:micro,"])
def test_a_claim_or_profile_that_is_not_there_is_an_error(root, wrong):
    with pytest.raises(ValueError, match="names no claim with a test of a profile"):
        page.verdict(wrong)


def test_verdicts_of_two_profiles_are_told_once_where_they_agree_and_three_are_refused():
    assert in_words(["a"]) == in_words(["a", "a"]) == "a"
    assert in_words(["a", "b"]) == "a for the first and b for the second"
    for three in (["a", "b", "c"], ["a", "a", "a"], ["a", "a", "b"]):
        with pytest.raises(ValueError, match="takes one profile or two, not 3"):
            in_words(three)


@pytest.mark.slow
def test_a_page_shows_it_and_a_claim_that_is_not_there_fails_the_build(root):
    given = {"profile": ["later", "micro-tuned"]}
    tests = [{**TESTS[0], "given": given}]
    content = {"groups": [{"group": "g", "claims": [{**CLAIM, "tests": tests}]}]}
    (root / "data" / "claims.yaml").write_text(yaml.safe_dump(content))
    (root / "page").mkdir()
    text = "# Page\n\nIt is {verdict}`1:later`, {verdict}`1:later,later` for both.\n\nIt is {verdict}`9:later`.\n"
    text += "\nIt is {verdict}`1:later,later,later`.\n"
    (root / "page" / "index.md").write_text(text)
    (root / "page" / "conf.py").write_text(CONFIGURATION)
    status, told = build_text(root, "--keep-going")
    assert "It is *not run*, *not run* for both." in (root / "out" / "index.txt").read_text()
    assert status and told.count("ERROR") == 2 and "'9:later' names no claim" in told
    assert "takes one profile or two, not 3" in told
