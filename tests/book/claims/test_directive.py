"""The directive on a page that Sphinx builds."""

import subprocess
import sys

import pytest
import yaml

GROUP = {
    "group": "Costs",
    "claims": [
        {"number": 1, "claim": "It is cheap", "section": "Section 1", "paper": "no number", "test": "Seconds.",
         "chapter": "index", "command": "make it"},
    ],
}  # fmt: skip


@pytest.mark.slow
def test_a_page_shows_counts_and_tables(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMALIGN_ROOT", str(tmp_path))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "claims.yaml").write_text(yaml.safe_dump({"groups": [GROUP]}))
    (tmp_path / "page").mkdir()
    page = "(provenance)=\n# Claims\n\n```{claims} counts\n```\n\n```{claims}\n```\n"
    (tmp_path / "page" / "index.md").write_text(page)
    (tmp_path / "page" / "conf.py").write_text(
        "from semalign.book.claims.directive import Claims\nextensions = ['myst_parser']\n"
        "def setup(app):\n    app.add_directive('claims', Claims)\n"
    )
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "-b", "text", tmp_path / "page", tmp_path / "out"]
    subprocess.run(list(map(str, command)), check=True)
    text = (tmp_path / "out" / "index.txt").read_text()
    assert "Of 1 claims of the paper" in text and "It is cheap" in text and "make it" in text
