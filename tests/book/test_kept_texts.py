"""A page is read again exactly where a record that it shows has changed, and what did not change is not made again."""

import os
from unittest.mock import Mock

import pytest
from helpers.sphinx_pages import sphinx_app
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

from semalign.book import kept_texts, numbers_role
from semalign.book.kept_texts import Kept
from semalign.book.numbers_role import NumberRole
from semalign.files import write_json

PAGES = {
    "index": "# A\n\nIt has {num}`a.json:n` items.\n\n```{toctree}\nother\nplain\n```\n",
    "other": "# B\n\nIt has {num}`b.json:n` items, beside {num}`a.json:n`.\n",
    "plain": "# C\n\nIt has no number.\n",
}


@pytest.fixture
def book(tmp_path, monkeypatch):
    """A book of three pages, of which two show numbers, with a function that builds it and returns the pages read."""
    monkeypatch.setenv("SEMALIGN_ROOT", str(tmp_path))
    monkeypatch.setattr(kept_texts, "surroundings", lambda: "packages")
    results = tmp_path / "data" / "results"
    for name in ("a", "b"):
        write_json(results / f"{name}.json", {"n": 1})
    (tmp_path / "page").mkdir()
    for name, text in PAGES.items():
        (tmp_path / "page" / f"{name}.md").write_text(text)

    def build():
        folders = [str(tmp_path / name) for name in ("page", "out", "trees")]
        configuration = {"extensions": ["myst_parser"], "html_theme": "basic"}
        with sphinx_app(folders[0], None, *folders[1:], "html", configuration, status=None, warning=None) as app:
            app.add_role("num", NumberRole(), override=True)
            app.add_env_collector(kept_texts.Texts)
            read = []
            app.connect("source-read", lambda app, name, text: read.append(name))
            app.build()
        return read

    build.html = lambda name: (tmp_path / "out" / f"{name}.html").read_text()
    build.results = results
    assert sorted(build()) == sorted(PAGES)
    return build


@pytest.mark.slow
def test_nothing_is_read_again_where_nothing_has_changed(book):
    assert book() == []
    os.utime(book.results / "a.json")
    assert book() == []


@pytest.mark.slow
def test_a_changed_record_changes_every_page_that_shows_it_even_with_an_old_date(book):
    record = book.results / "a.json"
    then = record.stat()
    write_json(record, {"n": 2})
    os.utime(record, ns=(then.st_atime_ns, then.st_mtime_ns))
    assert sorted(book()) == ["index", "other"]
    assert "It has 2 items" in book.html("index") and "It has 1 items, beside 2." in book.html("other")
    write_json(book.results / "b.json", {"n": 3})
    assert book() == ["other"]
    assert "It has 3 items, beside 2." in book.html("other")
    (book.results / "a.json").unlink()
    assert sorted(book()) == ["index", "other"]
    assert "It has not run items" in book.html("index")


@pytest.mark.slow
def test_a_number_is_looked_up_once_for_all_pages_and_builds(book, monkeypatch):
    calls = []
    monkeypatch.setattr(numbers_role, "number", lambda text: calls.append(text) or "7")
    write_json(book.results / "a.json", {"n": 2})
    book()
    assert calls == ["a.json:n"]


@pytest.mark.slow
def test_other_packages_or_code_make_all_texts_again(book, monkeypatch):
    monkeypatch.setattr(kept_texts, "surroundings", lambda: "other packages")
    assert sorted(book()) == ["index", "other"]


@pytest.mark.slow
def test_a_page_with_an_error_is_read_again_once_its_record_is_right_again(book):
    right = (book.results / "b.json").read_text()
    write_json(book.results / "b.json", {"m": 1})
    assert book() == ["other"] and "It has 1 items, beside" not in book.html("other")
    (book.results / "b.json").write_text(right)
    assert book() == ["other"] and "It has 1 items, beside" in book.html("other")


@pytest.mark.slow
def test_a_page_that_was_read_and_not_written_is_read_again(book, tmp_path):
    tree = tmp_path / "trees" / "plain.doctree"
    os.utime(tree, ns=(tree.stat().st_mtime_ns + 10**9,) * 2)
    assert book() == ["plain"]
    (tmp_path / "out" / "plain.html").touch()


def test_surroundings_name_packages_code_and_profile(monkeypatch):
    monkeypatch.setenv("SEMALIGN_PROFILE", "micro")
    found = kept_texts.surroundings()
    assert kept_texts.surroundings() == found
    monkeypatch.delenv("SEMALIGN_PROFILE")  # jupyter-book by hand, without make
    assert kept_texts.surroundings() == found
    monkeypatch.setenv("SEMALIGN_PROFILE", "small")
    assert kept_texts.surroundings() != found
    monkeypatch.setenv("SEMALIGN_PROFILE", "micro")
    monkeypatch.setattr(kept_texts, "versions", lambda: {"torch": "0"})
    assert kept_texts.surroundings() != found


def test_surroundings_change_with_the_code(monkeypatch, tmp_path):
    (tmp_path / "a.py").write_text("x = 1\n")
    monkeypatch.setattr(kept_texts, "LIBRARY", tmp_path)
    found = kept_texts.surroundings()
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "a.pyc").write_text("x")
    assert kept_texts.surroundings() == found
    (tmp_path / "a.py").write_text("x = 2\n")
    assert kept_texts.surroundings() != found


def test_what_a_process_has_of_pages_that_it_did_not_read_does_not_replace_newer_texts():
    old, new = Kept("old", (), "1"), Kept("new", (), "2")

    def environment(texts, shown):
        of = kept_texts.Store()
        of.texts, of.shown = texts, shown
        return Mock(spec=BuildEnvironment, semalign_texts=of)

    whole = environment({"a": old, "b": old}, {"b": {"b"}})
    first = environment({"a": new, "b": old}, {"a": {"a"}, "b": {"b"}})
    second = environment({"a": old, "b": new}, {"b": {"b"}})
    for page, read in (("a", first), ("b", second)):
        kept_texts.Texts().merge_other(Mock(spec=Sphinx), whole, {page}, read)
    assert kept_texts.store(whole).texts == {"a": new, "b": new}
    assert kept_texts.store(whole).shown == {"a": {"a"}, "b": {"b"}}
