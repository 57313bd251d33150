"""The directive ``drawn-figure`` on a page that Sphinx builds."""

import pytest
from helpers.sphinx_pages import sphinx_app

from semalign.book.drawn_figure import drawn_figure

CONFIGURATION = """from semalign.book.drawn_figure import DrawnFigure
extensions = ['myst_parser']
numfig = True
def setup(app):
    app.add_directive('drawn-figure', DrawnFigure)
"""


@pytest.mark.slow
def test_a_drawing_has_a_number_and_a_caption(tmp_path):
    page = tmp_path / "page"
    page.mkdir()
    figure = drawn_figure("<svg>\n<path/>\n</svg>", "Three *times* as fast: see `here`.", "fig-times")
    (page / "index.md").write_text(f"# Page\n\nThis is {{numref}}`fig-times`.\n\n{figure}")
    (page / "conf.py").write_text(CONFIGURATION)
    with sphinx_app(page, page, tmp_path / "out", tmp_path / "trees", "html", status=None, warningiserror=True) as app:
        app.build()
    html = (tmp_path / "out" / "index.html").read_text()
    assert '<figure class="align-default" id="fig-times">\n<svg>\n<path/>\n</svg><figcaption>' in html
    assert '<span class="caption-number">Fig. 1 </span>' in html and "<em>times</em> as fast" in html
    assert '<a class="reference internal" href="#fig-times"><span class="std std-numref">Fig. 1</span></a>' in html
