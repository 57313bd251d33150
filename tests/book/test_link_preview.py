"""What a link to a page of the book shows where it is shared."""

from html.parser import HTMLParser
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from docutils import nodes
from docutils.utils import new_document
from sphinx.application import Sphinx

from semalign.book.link_preview import CARD, first_paragraph, page_address
from semalign.book.sphinx_extension import preview_links
from semalign.paths import project_root


def page(*paragraphs):
    made, section = new_document("page"), nodes.section()
    made += section
    section += nodes.bullet_list("", nodes.list_item("", nodes.paragraph("", "Cost: none")))
    section += [nodes.paragraph("", text) for text in paragraphs]
    return made


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found = {}
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.found[given.get("property") or given["name"]] = given["content"]


def tags(base, doctree, name="notebooks/02"):
    config = SimpleNamespace(html_baseurl=base, html_title="semalign")
    env = SimpleNamespace(titles={"notebooks/02": nodes.title("", "Norms & atoms")})
    app = Mock(spec=Sphinx, config=config, env=env, builder=Mock(get_target_uri=lambda page: f"{page}.html"))
    context = {"metatags": "", "pathto": lambda file, resource: f"../{file}"}
    preview_links(app, name, "page.html", context, doctree)
    return Tags(context["metatags"]).found


@pytest.mark.parametrize("base", ["https://example.org/book", "https://example.org/book/"])
def test_a_published_book_gives_whole_addresses(base):
    found = tags(base, page('What "it" asks.', "More."))
    assert found == {
        "og:type": "website",
        "og:site_name": "semalign",
        "og:title": "Norms & atoms",
        "og:description": 'What "it" asks.',
        "description": 'What "it" asks.',
        "og:url": "https://example.org/book/notebooks/02.html",
        "og:image": "https://example.org/book/_static/card.png",
        "twitter:card": "summary_large_image",
    }


def test_a_book_without_an_address_has_a_relative_picture():
    found = tags("", None)
    assert found["og:image"] == "../_static/card.png" and not {"og:url", "og:description"} & {*found}
    assert page_address("", CARD) == ""


def test_pages_that_sphinx_makes_have_no_preview():
    assert tags("", None, "search") == {}


def test_a_long_paragraph_ends_at_a_word():
    text = first_paragraph(page("word " * 100))
    assert len(text) <= 200 and text.endswith("word …") and first_paragraph(page()) == ""


def test_the_picture_has_the_size_that_previews_ask_for():
    head = (project_root() / "book" / CARD).read_bytes()[:24]
    assert head[:4] == b"\x89PNG" and [int.from_bytes(head[i : i + 4], "big") for i in (16, 20)] == [1200, 630]
