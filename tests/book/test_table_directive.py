"""The directive on a page that Sphinx builds, and the functions that it names."""

import re
from pathlib import Path
from pkgutil import resolve_name

import pytest
from helpers.sphinx_pages import build_text

from semalign.book.table_directive import LABELS, OTHERS, SENTENCES, SOURCES, TABLES, places, source_line, sources_table
from semalign.files import write_json

BOOK = Path(__file__).parents[2] / "book"
CONFIGURATION = """from semalign.book.table_directive import CheckTable
extensions = ['myst_parser']
def setup(app):
    app.add_directive('check-table', CheckTable)
"""


@pytest.mark.slow
def test_a_page_shows_it(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMALIGN_ROOT", str(tmp_path))
    (tmp_path / "page").mkdir()
    (tmp_path / "page" / "index.md").write_text("# Page\n\n```{check-table} gpu-check\n```\n")
    (tmp_path / "page" / "conf.py").write_text(CONFIGURATION)
    assert build_text(tmp_path) == (0, "")
    assert "nobody has run" in (tmp_path / "out" / "index.txt").read_text()


def test_every_table_is_made_by_a_function_and_shown_on_a_page():
    assert all(callable(resolve_name(f"semalign.book.{function}")) for function in TABLES.values())
    text = "\n".join(path.read_text(encoding="utf-8") for path in BOOK.glob("*.md"))
    assert set(re.findall(r"```\{check-table\} (\S+)", text)) == TABLES.keys()


def test_tables_of_chapters_are_made_from_executed_notebooks_and_others_from_data(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMALIGN_ROOT", str(tmp_path))
    assert places("provenance") == places("status-notebooks") == [tmp_path / "book" / "notebooks"]
    assert places("speed") == places("status-missing") == [tmp_path / "data"]


def test_a_table_has_its_source_its_data_and_its_command():
    line = source_line("plan-check")
    assert "{mod}`source <semalign.book.plan_table>` · {download}`plan.json </../data/results/speed/plan.json>`" in line
    assert " · `python benchmarks/plan_check.py --out data/results/speed/plan.json` · {ref}`all" in line
    assert "{download}`table4.csv </../data/paper/table4.csv>`" in source_line("paper-4")
    assert "`semalign plan --profile llama2`" in source_line("plan") and source_line("provenance") == ""
    listed = sources_table()
    assert SOURCES.keys() < TABLES.keys() and listed.count("\n* - ") == len(SOURCES) + 1 + len(OTHERS)
    assert "* - {numref}`tab-plan-check`\n" in listed and "* - text of {doc}`/speed`\n" in listed


@pytest.mark.parametrize("name", sorted(SOURCES.keys() - SENTENCES - {"profiles", "plan", "status-profiles"}))
def test_a_table_is_listed_by_a_label_that_it_has(name):
    assert f":name: {LABELS[name]}\n" in resolve_name(f"semalign.book.{TABLES[name]}")()


def test_how_its_files_were_made_is_listed(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMALIGN_ROOT", str(tmp_path))
    speed = tmp_path / "data" / "results" / "speed"
    write_json(speed / "plan.json", {"commit": "abc1234", "created": "2026-01-02T03:04:05+00:00", "seconds": 3.2})
    write_json(speed / "builds.json", {"commit": "def5678"})
    lines = sources_table()
    assert (
        "* - {numref}`tab-plan-check`" in lines
        and "  - `abc1234`, 2026-01-02, 3 s\n" in lines
        and "  - `def5678`\n" in lines
    )


def test_a_table_that_was_not_run_has_no_line(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMALIGN_ROOT", str(tmp_path))
    assert source_line("gpu-check") == "" and "* - `gpu-check`\n  - –\n" in sources_table()


def test_the_scripts_that_tables_name_exist():
    scripts = [source.command.split()[1] for source in SOURCES.values() if source.command.startswith("python")]
    assert scripts and all((BOOK.parent / script).is_file() for script in scripts)
