"""Sphinx extension of the book: run missing and stale notebooks first, and fail the build if one raises.

It also takes drawings into their pages, and corrects HTML that a screen reader cannot follow. The environment variable
``SEMALIGN_PROFILE`` sets the profile, ``micro`` by default.
"""

import gc
import os
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.errors import ExtensionError

from semalign.book import figure_numbers, page_processes
from semalign.book.accessible import accessible, breakable
from semalign.book.claims.directive import Claims, evaluate_first
from semalign.book.claims.verdict_role import VerdictRole
from semalign.book.drawn_figure import DrawnFigure
from semalign.book.edition import commit_text, edition, name_commit
from semalign.book.inputs import book_profile, hash_files
from semalign.book.kept_texts import Texts
from semalign.book.link_preview import CARD, page_address, preview_tags
from semalign.book.notebooks import NotebookError, run_notebooks
from semalign.book.numbers_role import NumberRole
from semalign.book.printed import without_file_links
from semalign.book.table_directive import CheckTable
from semalign.book.theme import inline_svg
from semalign.experiments.profiles import use_profile
from semalign.models.placement import Placement, place_unless_set


def run_stale_notebooks(app: Sphinx, config: Config) -> None:
    """Run stale notebooks, as ``semalign run`` does; the checkout is the folder above the book's sources.

    The pages that follow are of all profiles, so the profile's types and devices hold for its notebooks only.
    """
    os.environ["SEMALIGN_ROOT"] = os.environ.get("SEMALIGN_ROOT") or str(Path(app.srcdir).parent)
    try:
        use_profile(book_profile())
        run_notebooks(book_profile())
    except (NotebookError, OSError, ValueError) as error:
        raise ExtensionError(str(error)) from error
    finally:
        place_unless_set(Placement.model_validate({}))


def load_mathjax_once(app: Sphinx, config: Config) -> None:
    """Load MathJax only on pages with formulas; Jupyter Book puts every script below ``_static`` on every page."""
    config.html_js_files = [name for name in config.html_js_files if not str(name).startswith("mathjax/")]


def take_in_drawings(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Make drawings part of their page, where they take the colour of its text."""
    if app.builder.format != "html":
        return
    for image in list(doctree.findall(nodes.image)):
        path = Path(app.srcdir, image["uri"])
        if path.suffix == ".svg":
            text = inline_svg(path.read_text(encoding="utf-8"), image.get("alt", ""))
            image.replace_self(nodes.raw("", text, format="html"))


def correct_html(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
    """Correct the HTML of a page, see :func:`semalign.book.accessible.accessible`; its footer names the edition."""
    context["edition"] = app.config.semalign_edition
    context["commit"] = commit_text(app.config.semalign_edition)
    if "body" in context:
        context["body"] = breakable(accessible(context["body"]))
        if app.builder.name == "singlehtml":
            context["body"] = without_file_links(context["body"])


def preview_links(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
    """Say what a link to the page shows where it is shared; the picture's address is relative if the book has none."""
    base, titles = app.config.html_baseurl, app.env.titles
    if pagename in titles:
        address = page_address(base, app.builder.get_target_uri(pagename))
        card = page_address(base, CARD) or context["pathto"](CARD, 1)
        title = titles[pagename].astext()
        context["metatags"] += preview_tags(app.config.html_title, title, doctree, address, card)


def link_repository(app: Sphinx, config: Config) -> None:
    """Show links to the repository and its issues if the value ``semalign_repository`` of ``_config.yml`` names one."""
    if url := config.semalign_repository:
        links = {"repository_url": url, "use_repository_button": True, "use_issues_button": True}
        config.html_theme_options = {**config.html_theme_options, **links}


def name_edition(app: Sphinx, config: Config) -> None:
    """Give the footer of each page version, commit and date; pages are written again once the version has changed."""
    config.semalign_edition = edition(Path(app.srcdir).parent)
    config.semalign_version = config.semalign_edition["version"]


def name_commit_late(app: Sphinx, exception: Exception | None) -> None:
    """Name the commit in pages that an earlier build has written."""
    if exception is None and app.builder.format == "html":
        name_commit(Path(app.outdir), app.config.semalign_edition)


def watch_static_files(app: Sphinx, config: Config) -> None:
    """Write the pages again once a style sheet, script or picture has changed; Sphinx copies these with pages only."""
    folder = Path(app.srcdir, "_static")
    config.semalign_static = hash_files(sorted(filter(Path.is_file, folder.glob("*"))), folder)


def collect_no_cycles(app: Sphinx, config: Config) -> None:
    """Switch the search for unused cycles off during the build: it looks through the millions of nodes of all pages."""
    gc.disable()


def collect_cycles(app: Sphinx, exception: Exception | None) -> None:
    """Switch it on again."""
    gc.enable()


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension, ahead of the others."""
    app.connect("config-inited", run_stale_notebooks, priority=1)
    app.connect("config-inited", load_mathjax_once, priority=1)
    app.add_config_value("semalign_repository", "", "html")
    app.connect("config-inited", link_repository, priority=1)
    app.add_config_value("semalign_version", "", "html")
    app.add_config_value("semalign_edition", {}, "")
    app.connect("config-inited", name_edition, priority=1)
    app.add_config_value("semalign_static", "", "html")
    app.connect("config-inited", watch_static_files, priority=1)
    app.connect("config-inited", collect_no_cycles, priority=900)
    app.connect("env-before-read-docs", evaluate_first)
    app.connect("build-finished", collect_cycles)
    app.connect("build-finished", name_commit_late)
    app.connect("doctree-resolved", take_in_drawings)
    app.connect("html-page-context", correct_html)
    app.connect("html-page-context", preview_links)
    figure_numbers.connect(app)
    page_processes.connect(app)
    app.add_env_collector(Texts)
    app.add_directive("check-table", CheckTable)
    app.add_directive("drawn-figure", DrawnFigure)
    app.add_directive("claims", Claims)
    app.add_role("num", NumberRole())
    app.add_role("verdict", VerdictRole())
    return {"parallel_read_safe": True, "parallel_write_safe": True}
