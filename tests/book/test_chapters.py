"""A chapter shows the library as a reader would use it: code to copy, neither more nor less."""

import ast
import builtins
import re
from pathlib import Path

import jupytext
import pytest

from semalign.book import page as pages
from semalign.book.inputs import declared_inputs
from semalign.book.page import NotProvidedError

HIDDEN = {"hide-input", "hide-cell", "remove-input", "remove-cell"}
ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.py"))


def shown(path: Path) -> list[str]:
    """Return the code that a reader of the page sees, cell by cell."""
    cells = (cell for cell in jupytext.read(path).cells if cell.cell_type == "code")
    return [cell.source for cell in cells if not HIDDEN & set(cell.metadata.get("tags", []))]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_chapter_shows_ten_to_forty_lines_of_the_library(path):
    lines = [line for source in shown(path) for line in source.splitlines() if line.strip()]
    assert 10 <= len(lines) <= 40
    assert any(line.startswith(("from semalign", "import semalign")) for line in lines)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_a_chapter_shows_needs_nothing_that_it_hides(path):
    nodes = [node for source in shown(path) for node in ast.walk(ast.parse(source))]
    names = [node for node in nodes if isinstance(node, ast.Name)]
    made = {node.id for node in names if not isinstance(node.ctx, ast.Load)}
    made |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    made |= {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
    imported = [alias for node in nodes if isinstance(node, ast.Import | ast.ImportFrom) for alias in node.names]
    made |= {alias.asname or alias.name.split(".")[0] for alias in imported}
    used = {node.id for node in names if isinstance(node.ctx, ast.Load)}
    assert used - made - set(dir(builtins)) == set()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_chapter_without_the_models_of_its_profile_stops_in_the_first_cell_behind_the_parameters(
    path, root, monkeypatch
):
    """Run for llama2, as papermill does; a chapter that declares no models shows records, and needs none."""
    monkeypatch.setattr(pages, "hold_to", lambda *_: None)
    code = [cell.source for cell in jupytext.read(path).cells if cell.cell_type == "code"]
    parameters, first = code[:2]
    names: dict[str, object] = {}
    exec(parameters, names)
    names["profile"] = "llama2"
    if "models" not in declared_inputs(path):
        exec(first, names)
        return
    with pytest.raises(NotProvidedError, match=r"`semalign fetch --profile llama2` gets them where there is a network"):
        exec(first, names)


def text_cells(path: Path) -> list[str]:
    return [cell.source for cell in jupytext.read(path).cells if cell.cell_type == "markdown"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_chapter_opens_with_its_question_and_finding_in_short(path):
    title, heading, question, found, about = text_cells(path)[0].split("\n\n")
    assert title.startswith("# ") and heading == "## In short"
    assert re.fullmatch(r"\*\*.+\?\*\*", question), "the question comes first"
    *findings, limit = found.splitlines()
    assert 1 <= len(findings) <= 4 and all(line.startswith("- ") for line in findings)
    assert limit.startswith("- **What this does not show**: ")
    assert about.startswith(":::{admonition} About this page\n- **Purpose**: ") and "\n- **Command**: " in about


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_chapter_ends_with_what_to_read_next(path):
    last = text_cells(path)[-1].splitlines()[-1]
    assert jupytext.read(path).cells[-1].cell_type == "markdown"
    assert last.startswith("**Read next**: ") and 1 <= last.count("](") <= 2


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_chapter_names_the_entry_of_decisions_that_it_means(path):
    labels = re.findall(r"^\((decisions-[\w-]+)\)=$", (ROOT / "book" / "decisions.md").read_text("utf-8"), re.MULTILINE)
    used = re.findall(r"\]\(#(decisions-[\w-]+)\)", path.read_text("utf-8"))
    assert set(used) <= set(labels)
    assert path.read_text("utf-8").count("(../decisions.md)") <= 1
