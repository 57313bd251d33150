"""Pages that several processes read are as if one had read them all."""

import io
from unittest.mock import Mock

import pytest
from helpers.sphinx_pages import sphinx_app
from sphinx.application import Sphinx
from sphinx.domains.python import ObjectEntry
from sphinx.environment import BuildEnvironment

from semalign.book import page_processes
from semalign.book.page_processes import keep_originals

NAME = "pkg.mod.Thing"
ALIAS = ObjectEntry("api", "pkg.Thing", "class", True)
ORIGINAL = ObjectEntry("modules", NAME, "class", False)
APP = Mock(spec=Sphinx)


def environment(objects):
    return Mock(spec=BuildEnvironment, domaindata={"py": {"objects": dict(objects)}})


@pytest.mark.parametrize("order", [("api", "modules"), ("modules", "api")])
def test_a_name_leads_to_the_page_that_describes_it_whichever_process_ends_first(order):
    read = {"api": environment({NAME: ALIAS}), "modules": environment({NAME: ORIGINAL})}
    found, merged = {}, environment({})
    for page in order:
        merged.domaindata["py"]["objects"] |= read[page].domaindata["py"]["objects"]  # what Sphinx does before
        keep_originals(found, APP, merged, {page}, read[page])
    assert merged.domaindata["py"]["objects"] == {NAME: ORIGINAL}


def test_an_object_of_a_page_that_the_process_has_not_read_is_not_taken_over():
    merged = environment({})
    keep_originals({}, APP, merged, {"api"}, environment({NAME: ORIGINAL}))
    assert merged.domaindata["py"]["objects"] == {}


@pytest.mark.slow
def test_several_processes_read_and_write_a_book(tmp_path, monkeypatch):
    monkeypatch.setattr(page_processes, "cores", lambda: 2)
    texts = {f"page{i}": f"Page {i}\n=======\n\n:py:class:`{NAME}`\n" for i in range(12)}
    texts["page0"] += f"\n.. py:class:: pkg.Thing\n   :canonical: {NAME}\n"
    texts["page9"] += f"\n.. py:class:: {NAME}\n"
    texts["index"] = "Book\n====\n\n.. toctree::\n\n" + "".join(f"   {name}\n" for name in sorted(texts))
    (tmp_path / "in").mkdir()
    for name, text in texts.items():
        (tmp_path / "in" / f"{name}.rst").write_text(text)
    status, warnings = io.StringIO(), io.StringIO()
    folders = [str(tmp_path / name) for name in ("in", "out", "trees")]
    configuration = {"extensions": ["sphinx_multitoc_numbering"], "html_theme": "basic"}
    with sphinx_app(folders[0], None, *folders[1:], "html", configuration, status=status, warning=warnings) as app:
        page_processes.connect(app)
        app.build()
    assert "serial" not in warnings.getvalue()
    assert "page0 .. " in status.getvalue()  # pages are named in groups, one for each start of a process
    for i in range(12):
        assert f'href="page9.html#{NAME}"' in (tmp_path / "out" / f"page{i}.html").read_text() or i == 9
