"""Notebooks run when they are stale, only then, and leave nothing half-written."""

import errno
import json
import os
import sys
from pathlib import Path
from unittest.mock import Mock

import nbformat
import pytest
from docutils import nodes
from docutils.utils import new_document
from helpers.disks import ended_process
from helpers.sphinx_pages import sphinx_app
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.errors import ExtensionError

from semalign.book import freshness, kernels, notebooks
from semalign.book.notebooks import NotebookError, run_notebooks, stale_notebooks
from semalign.book.sphinx_extension import link_repository, take_in_drawings, watch_static_files
from semalign.disk import temporary_folder

GOOD = """# %% [markdown]
# # First

# %% tags=["parameters"]
profile = "micro"
inputs = ["models", "results/{profile}"]

# %%
import sys
print(profile, sys.executable)
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A small checkout with a library, a data file and one notebook."""
    monkeypatch.setenv("SEMALIGN_ROOT", str(tmp_path))
    monkeypatch.setattr(freshness, "LIBRARY", tmp_path / "library")
    monkeypatch.setattr(kernels, "IMPORTED", ["ipykernel.kernelapp"])  # these notebooks import little
    write(tmp_path / "library" / "basis.py", "x = 1")
    write(tmp_path / "data" / "models" / "weights.bin", "1")
    write(tmp_path / "data" / "results" / "micro" / "record.json", "{}")
    write(tmp_path / "notebooks" / "01_first.py", GOOD)
    return tmp_path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def executed_files(project: Path) -> list[str]:
    return sorted(path.name for path in (project / "book" / "notebooks").glob("*"))


def build_book(project: Path) -> None:
    """Start Sphinx on the project's book, as `jupyter-book build book/` does."""
    out = project / "out"
    extensions = {"extensions": ["semalign.book.sphinx_extension"]}
    with sphinx_app(project / "book", None, out, out, "dummy", confoverrides=extensions, status=None, warning=None):
        pass


@pytest.mark.parametrize("url", ["", "https://example.org/me/semalign"])
def test_the_repository_is_linked_if_one_value_names_it(url):
    options = {"use_issues_button": False, "toc_title": "a"}
    config = Mock(spec=Config, semalign_repository=url, html_theme_options=options)
    link_repository(Mock(spec=Sphinx), config)
    linked = {"repository_url": url, "use_repository_button": True, "use_issues_button": True}
    assert config.html_theme_options == {"use_issues_button": False, "toc_title": "a"} | (linked if url else {})


def test_pages_are_written_again_after_a_change_of_the_style(tmp_path):
    style, folder = tmp_path / "_static" / "a.css", tmp_path / "_static" / "data"
    folder.mkdir(parents=True)
    app, config, seen = Mock(spec=Sphinx, srcdir=str(tmp_path)), Mock(spec=Config), []
    for text in ("a {}", "a {}", "b {}"):
        style.write_text(text)
        (folder / f"{len(seen)}.csv").touch()  # data of a page change with the page
        watch_static_files(app, config)
        seen.append(config.semalign_static)
    assert seen[0] == seen[1] != seen[2]


def test_a_damaged_page_is_stale(project):
    page = project / "book" / "notebooks" / "01_first.ipynb"
    page.parent.mkdir(parents=True, exist_ok=True)
    for content in (b"", b"[]", b"{", b"\xff", b'{"metadata": {"semalign": 3}}'):
        page.write_bytes(content)
        assert stale_notebooks()["01_first"] == ["its executed form is damaged"]
    page.write_text('{"metadata": {}}')
    assert {"code changed", "text changed"} <= {*stale_notebooks()["01_first"]}


def test_drawings_become_part_of_their_page():
    book = Path(__file__).parents[2] / "book"
    drawn = [nodes.image(uri=f"_static/{name}.svg", alt="boxes") for name in ("method", "packages")]
    other = nodes.image(uri="_static/card.png")
    page = new_document("page")
    page += [*drawn, other]
    take_in_drawings(Mock(spec=Sphinx, srcdir=book, builder=Mock(format="html")), page, "page")
    method, packages, kept = page.children
    assert method["format"] == packages["format"] == "html" and kept is other
    assert packages.astext().startswith('<div class="drawing"><svg role="img" aria-label="boxes" style="width: 960px')
    assert '<div class="drawing narrow"><svg role="img"' in method.astext() and "metadata" not in method.astext()


@pytest.mark.slow
def test_a_notebook_runs_once_and_again_after_a_change(project):
    assert stale_notebooks() == {"01_first": ["never run"]}
    assert run_notebooks() == [project / "book" / "notebooks" / "01_first.ipynb"]
    assert executed_files(project) == ["01_first.ipynb"]
    run = nbformat.read(project / "book" / "notebooks" / "01_first.ipynb", 4).metadata["semalign_run"]
    assert run["profile"] == "micro" and run["seconds"] > 0 and run["created"].startswith("20")
    assert stale_notebooks() == {} and run_notebooks() == []
    write(project / "data" / "models" / "weights.bin", "2")
    assert stale_notebooks() == {"01_first": ["data/models changed"]}
    assert len(run_notebooks()) == 1 and stale_notebooks() == {}


@pytest.mark.slow
def test_a_notebook_with_other_words_is_not_run_again(project, monkeypatch):
    (output,) = run_notebooks()
    before = nbformat.read(output, 4)
    source = project / "notebooks" / "01_first.py"
    write(source, f"{source.read_text()}\n# %% [markdown]\n# More to say.\n")
    monkeypatch.setattr(notebooks, "_run", lambda *_: pytest.fail("it was run"))
    assert stale_notebooks() == {"01_first": ["text changed"]} and run_notebooks() == [output]
    after = nbformat.read(output, 4)
    assert stale_notebooks() == {} and after.cells[-1].source == "More to say."
    assert after.metadata["semalign_run"] == before.metadata["semalign_run"]
    assert [cell.outputs for cell in after.cells if cell.cell_type == "code"] == [
        cell.outputs for cell in before.cells if cell.cell_type == "code"
    ]


@pytest.mark.slow
def test_an_input_that_is_not_there_yet_makes_the_notebook_stale_when_it_comes(project):
    run_notebooks("small")
    assert stale_notebooks("small") == {}
    write(project / "data" / "results" / "small" / "record.json", "{}")
    assert stale_notebooks("small") == {"01_first": ["data/results/small changed"]}


MAKES = GOOD.replace(
    "print(profile",
    """from pathlib import Path
Path("data/results/micro/made.json").write_text("{}")
print(profile""",
)


@pytest.mark.slow
@pytest.mark.parametrize("at_once", [1, 2])
def test_a_record_that_a_notebook_makes_leaves_it_fresh_and_later_notebooks_see_it(project, monkeypatch, at_once):
    monkeypatch.setattr(notebooks, "at_once", lambda: at_once)
    write(project / "notebooks" / "02_second.py", GOOD)
    assert [path.stem for path in run_notebooks()] == ["01_first", "02_second"]
    write(project / "notebooks" / "01_first.py", MAKES)
    assert stale_notebooks() == {"01_first": ["code changed"]}
    assert [path.stem for path in run_notebooks()] == ["01_first", "02_second"]
    assert stale_notebooks() == {}


WAITS = GOOD.replace(', "results/{profile}"', "").replace(
    "print(profile",
    """import time
from pathlib import Path
Path(mine).touch()
while not Path(other).exists():
    time.sleep(0.05)
print(profile""",
)


@pytest.mark.slow
def test_two_notebooks_run_at_the_same_time_each_with_a_kernel_of_its_own(project, monkeypatch):
    monkeypatch.setattr(notebooks, "at_once", lambda: 2)
    for name, mine, other in [("01_first", "a", "b"), ("02_second", "b", "a")]:
        text = WAITS.replace("Path(mine)", f"Path('{mine}')").replace("Path(other)", f"Path('{other}')")
        write(project / "notebooks" / f"{name}.py", text)
    assert [path.stem for path in run_notebooks()] == ["01_first", "02_second"]
    assert stale_notebooks() == {} and not list(project.glob("*ipc*"))


@pytest.mark.slow
@pytest.mark.parametrize(("profile", "shown"), [("micro", "parameters"), ("small", "injected-parameters")])
def test_the_kernel_is_this_interpreter_and_one_parameters_cell_is_shown(project, profile, shown):
    (path,) = run_notebooks(profile, only=["01"])
    notebook = nbformat.read(path, as_version=4)
    assert notebook.cells[-1].outputs[0].text.split() == [profile, sys.executable]
    names = {"parameters", "injected-parameters"}
    tagged = [cell for cell in notebook.cells if names & set(cell.metadata.get("tags", []))]
    visible = [cell.metadata.tags for cell in tagged if "remove-cell" not in cell.metadata.tags]
    assert len(tagged) == 2 and len(visible) == 1 and shown in visible[0]
    assert str(project) not in json.dumps(notebook.metadata)


@pytest.mark.slow
def test_a_notebook_that_raises_fails_by_name_and_keeps_what_it_printed(project):
    write(project / "notebooks" / "01_first.py", GOOD + "\n# %%\n1 / 0\n")
    with pytest.raises(NotebookError, match=r"01_first\.py failed: cell \d+ \(1 / 0\) raised ZeroDivisionError"):
        run_notebooks()
    assert executed_files(project) == ["01_first.failed.ipynb"]
    kept = nbformat.read(project / "book" / "notebooks" / "01_first.failed.ipynb", as_version=4)
    assert "ZeroDivisionError" in json.dumps(kept.cells)
    with pytest.raises(ExtensionError, match="1 / 0"):
        build_book(project)
    write(project / "notebooks" / "01_first.py", GOOD)
    build_book(project)
    assert executed_files(project) == ["01_first.ipynb"]


def test_an_executed_notebook_without_a_source_is_removed(project):
    for name in ("02_renamed", "02_renamed.failed", "01_first.running"):
        write(project / "book" / "notebooks" / f"{name}.ipynb", "{}")
    write(project / "notebooks" / "01_first.py", GOOD)
    run_notebooks()
    assert executed_files(project) == ["01_first.ipynb"]


def test_an_interrupted_run_leaves_the_old_notebook_and_nothing_else(project, monkeypatch):
    output = project / "book" / "notebooks" / "01_first.ipynb"
    write(output, json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    before = output.read_text()

    def interrupted(notebook, running, **options):
        running.write_text("half")
        raise KeyboardInterrupt

    monkeypatch.setattr(notebooks.papermill, "execute_notebook", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_notebooks()
    assert executed_files(project) == ["01_first.ipynb"] and output.read_text() == before
    assert list(stale_notebooks()) == ["01_first"]


@pytest.mark.slow
def test_what_killed_runs_left_goes_with_the_next_run(project):
    folder = project / "book" / "notebooks"
    with temporary_folder(folder) as hidden:
        left = folder / hidden.name.replace(str(os.getpid()), str(ended_process()))
    write(left / "01_first.ipynb", "half")
    write(folder / "00_gone.running.ipynb", "half")
    run_notebooks()
    assert executed_files(project) == ["01_first.ipynb"]


def test_a_disk_without_room_is_one_line_and_the_old_notebook_stays(project, monkeypatch):
    output = project / "book" / "notebooks" / "01_first.ipynb"
    write(output, "{}")

    def full(notebook, running, **options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(notebooks.papermill, "execute_notebook", full)
    with pytest.raises(OSError, match=f"^cannot write {output}: no space left on device; make room there, or choose"):
        run_notebooks()
    assert executed_files(project) == ["01_first.ipynb"] and output.read_text() == "{}"


def test_bad_input_is_named(project):
    with pytest.raises(ValueError, match=r"No notebook begins with '07'\. There are: 01_first"):
        run_notebooks(only=["07"])
    for text, message in [
        ("# %%\n1\n", "has no cell tagged 'parameters'"),
        ('# %% tags=["parameters"]\nprofile = "micro"\n', r"declares no inputs: add inputs = \[\.\.\.\]"),
        ('# %% tags=["parameters"]\ninputs = [*"ab"]\n', "inputs must be a literal list of strings"),
    ]:
        write(project / "notebooks" / "01_first.py", text)
        with pytest.raises(ValueError, match=message):
            run_notebooks()
    (project / "notebooks" / "01_first.py").unlink()
    with pytest.raises(FileNotFoundError, match="No notebooks in"):
        run_notebooks()
