"""Texts that pages make from records: made again, and their pages read again, once what they are made from has changed.

A text is made from places, files or folders below ``data/`` or executed notebooks, by the library's code, with the
packages, models and settings of this machine. All of these are compared by content, so that a file with an old date
counts too. The texts are kept with the environment of Sphinx. A build in which nothing has changed makes none of them.
"""

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from pkgutil import resolve_name
from typing import NamedTuple

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.environment.collectors import EnvironmentCollector

from semalign.book.freshness import DRAWING, LIBRARY, code_below, included, outside
from semalign.book.inputs import book_profile, files_below, hash_files
from semalign.experiments.profile_paths import profile_names
from semalign.experiments.profiles import load_profile
from semalign.files import json_fingerprint
from semalign.results.surroundings import versions

BUILDING = ("jupyter-book", "sphinx", "myst-nb", "sphinx-book-theme")


class Kept(NamedTuple):
    """A text, the places that it was made from, and a hash of what these held then."""

    text: str
    places: Sequence[Path]
    content: str


class Store:
    """The kept texts of a book by name, the pages that show them, and what places hold during a build."""

    def __init__(self) -> None:
        self.texts: dict[str, Kept] = {}
        self.shown: dict[str, set[str]] = {}
        self.now: dict[Path, str] = {}

    def content(self, places: Sequence[Path]) -> str:
        """Return a hash of what places hold in this build, and of its surroundings; each is read once."""
        for place in {*places} - self.now.keys():
            self.now[place] = hash_files(files_below(place), place.parent)
        self.now[LIBRARY] = self.now.get(LIBRARY) or surroundings()
        return json_fingerprint([self.now[place] for place in (LIBRARY, *places)])

    def has(self, name: str, places: Sequence[Path]) -> bool:
        """Return whether a text is kept that would be made as it is."""
        return name in self.texts and self.texts[name].content == self.content(places)

    def changed(self) -> list[str]:
        """Return the pages that show a text which would be made again."""
        fresh = {name for name, kept in self.texts.items() if self.has(name, kept.places)}
        return [page for page, shown in self.shown.items() if not shown <= fresh]


def store(env: BuildEnvironment) -> Store:
    """Return the store that is pickled with an environment."""
    if not hasattr(env, "semalign_texts"):
        env.semalign_texts = Store()  # type: ignore[attr-defined]
    return env.semalign_texts  # type: ignore[attr-defined]


def kept(env: BuildEnvironment, function: str, places: Sequence[Path], *arguments: str) -> str:
    """Return what a function returns, for the page that is being read; it is called if what it reads has changed.

    Args:
        env: the environment of Sphinx.
        function: ``module:name`` in this package; its module is imported only when it is called.
        places: files and folders that it reads; one that does not exist counts as empty.
        *arguments: its arguments.
    """
    name, of = " ".join([function, *arguments]), store(env)
    of.shown.setdefault(env.docname, set()).add(name)
    if not of.has(name, places):
        of.texts.pop(name, None)  # if the function raises, nothing is kept
        text = resolve_name(f"semalign.book.{function}")(*arguments)
        of.texts[name] = Kept(text, tuple(places), of.content(places))
    return of.texts[name].text


def surroundings() -> str:
    """Return a hash of what texts are made with: code, packages, the profile, models that are elsewhere."""
    code = hash_files(code_below(LIBRARY), LIBRARY)
    packages = {name: version(name) for name in (*DRAWING, *BUILDING)}
    profiles = {name: outside(load_profile(name)) for name in profile_names()}
    return json_fingerprint([code, versions(), packages, book_profile(), included(), profiles])


class Texts(EnvironmentCollector):
    """The part of Sphinx's environment that reads pages again whose texts are made from something that has changed."""

    def clear_doc(self, app: Sphinx, env: BuildEnvironment, docname: str) -> None:
        """Forget what a page shows; the texts stay for when it is read again."""
        store(env).shown.pop(docname, None)

    def merge_other(self, app: Sphinx, env: BuildEnvironment, docnames: set[str], other: BuildEnvironment) -> None:
        """Take over the texts of pages that another process has read; what it has of others is older."""
        shown = {page: names for page, names in store(other).shown.items() if page in docnames}
        texts, names = store(other).texts, set().union(*shown.values())
        store(env).texts.update({name: texts[name] for name in names & texts.keys()})
        store(env).shown.update(shown)

    def process_doc(self, app: Sphinx, doctree: nodes.document) -> None:
        """Do nothing: the pages name their texts themselves."""

    def get_outdated_docs(
        self, app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]
    ) -> list[str]:
        """Return the pages to read again, those included that a build which was cut short has read and not written."""
        store(env).now.clear()
        return [*store(env).changed(), *(page for page in env.all_docs if _unwritten(app, env, page))]


def _unwritten(app: Sphinx, env: BuildEnvironment, page: str) -> bool:
    """Return whether the HTML of a page is older than its text as Sphinx read it; it is written after all are read."""
    if app.builder.name != "html":
        return False
    read, written = Path(env.doctreedir, f"{page}.doctree"), Path(app.builder.get_outfilename(page))  # type: ignore[attr-defined]
    return read.is_file() and written.is_file() and written.stat().st_mtime_ns < read.stat().st_mtime_ns
