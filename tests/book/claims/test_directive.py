"""The directive on a page that Sphinx builds."""

from unittest.mock import Mock

import pytest
import yaml
from helpers.sphinx_pages import build_text
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

from semalign.book import kept_texts
from semalign.book.claims import page
from semalign.book.claims.directive import evaluate_first
from semalign.book.claims.ledger import Ledger
from semalign.book.kept_texts import kept

GROUP = {
    "group": "Costs",
    "claims": [
        {"number": 1, "claim": "It is cheap", "section": "Section 1", "paper": "no number", "test": "Seconds.",
         "chapter": "index", "command": "make it"},
    ],
}  # fmt: skip


@pytest.fixture
def unread():
    """No test knows the ledger that another has read."""
    page.ledger.cache_clear()
    yield
    page.ledger.cache_clear()


@pytest.mark.slow
def test_a_page_shows_counts_and_tables(tmp_path, monkeypatch, unread):
    monkeypatch.setenv("SEMALIGN_ROOT", str(tmp_path))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "claims.yaml").write_text(yaml.safe_dump({"groups": [GROUP]}))
    (tmp_path / "page").mkdir()
    content = "(provenance)=\n# Claims\n\n```{claims} counts\n```\n\n```{claims}\n```\n"
    (tmp_path / "page" / "index.md").write_text(content)
    (tmp_path / "page" / "conf.py").write_text(
        "from semalign.book.claims.directive import Claims\nextensions = ['myst_parser']\n"
        "def setup(app):\n    app.add_directive('claims', Claims)\n"
    )
    assert build_text(tmp_path) == (0, "")
    text = (tmp_path / "out" / "index.txt").read_text()
    assert "Of 1 claims of the paper" in text and "It is cheap" in text and "make it" in text


def test_claims_are_evaluated_ahead_only_where_pages_are_read_and_something_has_changed(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMALIGN_ROOT", str(tmp_path))
    monkeypatch.setattr(kept_texts, "surroundings", lambda: "packages")
    ledger = Mock(spec=Ledger, claims=[])
    monkeypatch.setattr(page, "ledger", lambda: ledger)
    (tmp_path / "data").mkdir()
    env = Mock(spec=BuildEnvironment, docname="index", semalign_texts=kept_texts.Store())

    def evaluated(*pages):
        ledger.evaluate.reset_mock()
        kept_texts.store(env).now.clear()
        evaluate_first(Mock(spec=Sphinx), env, list(pages))
        return ledger.evaluate.called

    assert not evaluated() and evaluated("index")
    kept(env, "claims.page:counts", [tmp_path / "data"])
    assert not evaluated("index")
    (tmp_path / "data" / "claims.yaml").write_text("groups: []")
    assert evaluated("index")
