"""Which modules of the library a notebook can run."""

import pytest

from semalign.book.freshness import LIBRARY
from semalign.book.imports import reached
from semalign.book.inputs import files_below
from semalign.paths import project_root


@pytest.fixture
def library(tmp_path):
    """A package whose book has a page, a chain of tables, and what makes pages only."""
    texts = {
        "basis.py": "",
        "cli/verbs.py": "import semalign.book.page",
        "book/__init__.py": "",
        "book/notebooks.py": "from semalign.book.inputs import hashes",
        "book/inputs.py": "",
        "book/page.py": "def open_page():\n    from semalign.book.tables import scores",
        "book/tables/__init__.py": "",
        "book/tables/scores.py": "import semalign.book.tables.names",
        "book/tables/names.py": "",
        "book/view.html": "",
        "book/sphinx_only.py": "from semalign.book import page",
    }
    for name, text in texts.items():
        path = tmp_path / "semalign" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "semalign"


def names(library, text):
    (library.parent / "01_a.py").write_text(text)
    found = reached(library.parent / "01_a.py", library, list(files_below(library)))
    return {path.relative_to(library).as_posix() for path in found}


ALWAYS = {"basis.py", "book/__init__.py", "book/notebooks.py", "book/inputs.py", "book/view.html"}
TABLES = {"book/page.py", "book/tables/__init__.py", "book/tables/scores.py", "book/tables/names.py"}


@pytest.mark.parametrize(
    ("text", "more"),
    [
        ("import semalign", set()),
        ("from semalign.book.page import open_page", TABLES),
        ("if True:\n    from semalign.book import page", TABLES),
        ("import semalign.book.tables.names as n", {"book/tables/__init__.py", "book/tables/names.py"}),
    ],
)
def test_a_notebook_reaches_what_it_imports_and_all_outside_the_book(library, text, more):
    assert names(library, text) == ALWAYS | more


def test_where_a_notebook_is_no_plain_python_everything_counts(library):
    assert names(library, "%matplotlib inline") == ALWAYS | TABLES | {"cli/verbs.py", "book/sphinx_only.py"}


@pytest.mark.parametrize("source", sorted((project_root() / "notebooks").glob("*.py")), ids=lambda path: path.stem)
def test_notebooks_of_the_book_reach_their_page_and_not_what_makes_pages_only(source):
    found = {path.relative_to(LIBRARY).as_posix() for path in reached(source, LIBRARY, list(files_below(LIBRARY)))}
    assert {"book/page.py", "book/provenance.py", "book/markdown.py", "book/notebooks.py"} <= found
    assert not {"book/sphinx_extension.py", "book/status_chapters.py", "book/status_page.py", "cli/__init__.py"} & found


def test_modules_of_the_book_import_each_other_by_plain_statements():
    """What imports by a name in a string makes pages only, and no notebook reaches it."""
    dynamic = {path.name for path in (LIBRARY / "book").rglob("*.py") if "import_module" in path.read_text()}
    assert dynamic <= {"api_pages.py"}
