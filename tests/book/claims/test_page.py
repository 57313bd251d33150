"""The page of claims, its counts, and the sentence of the README."""

from pathlib import Path

import pytest
import yaml
from helpers.claims import put

from semalign.book.claims import page
from semalign.book.claims.ledger import Ledger

ROOT = Path(__file__).parents[3]
TEST = {
    "subject": "Two runs", "rule": "cost_ratio", "records": ["cost/*.json"], "text": "{ratio:.1f} times",
    "given": {"theirs": "sft", "mark": 1.0, "partly": 2.0}, "command": "make cost",
}  # fmt: skip
CLAIM = {
    "claim": "It is cheap", "section": "Section 1", "paper": "no number", "test": "Seconds.",
    "chapter": "notebooks/09_controls",
}  # fmt: skip


@pytest.fixture
def small(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMALIGN_ROOT", str(tmp_path))
    for name, seconds in {"semalign": 15.0, "sft": 10.0}.items():
        put(tmp_path, f"cost/{name}.json", method=name, seconds=seconds)
    claims = [{**CLAIM, "number": 1, "tests": [TEST]}, {**CLAIM, "number": 2, "command": "make it"}]
    return Ledger.model_validate({"groups": [{"group": "Costs", "claims": claims}]})


def test_verdicts_are_counted(small):
    assert page.counts(small) == "Of 2 claims of the paper, 1 is reproduced in part and 1 is not run."


def test_a_line_has_claim_test_text_verdict_and_records(small):
    text = page.tables(small)
    assert "* - (claim-1)=\n    1\n  - It is cheap (Section 1).\n    \n    The paper: no number.\n" in text
    said = "    - Two runs (**reproduced in part**): 1.5 times. Records:"
    assert f"{said} {{download}}`semalign </../data/results/cost/semalign.json>`" in text
    assert "\n  - **reproduced in part**\n" in text
    assert "    - not run: `make it`\n  - **not run**\n" in text


def test_each_claim_has_a_line_that_leads_to_its_tests(small):
    text = page.glance(small)
    assert "* - [1](#claim-1)\n  - It is cheap\n  - Section 1\n  - **reproduced in part**\n" in text
    assert text.count("* - [") == 2 and text.endswith(f"  - **not run**\n````\n{page.SOURCE}")


def test_many_records_are_counted(small, tmp_path):
    for i in range(3):
        put(tmp_path, f"cost/more-{i}.json")
    assert "5 records: `data/results/cost/*.json`." in page.tables(small)


@pytest.mark.slow
def test_the_readme_has_the_counts_of_the_ledger(monkeypatch):
    monkeypatch.setenv("SEMALIGN_ROOT", str(ROOT))
    page.ledger.cache_clear()
    sentence = page.counts()
    text = " ".join((ROOT / "README.md").read_text().split())
    assert sentence in text, f"write into README.md: {sentence}"


def test_the_landing_page_and_the_page_of_claims_show_the_counts():
    for name in ("index", "claims"):
        assert "```{claims} counts\n```" in (ROOT / "book" / f"{name}.md").read_text()
    assert "```{claims} at-a-glance\n```" in (ROOT / "book" / "claims.md").read_text()
    assert "```{claims}\n```" in (ROOT / "book" / "claims.md").read_text()
    assert len(yaml.safe_load((ROOT / "data" / "claims.yaml").read_text())["groups"]) > 3
