"""What a link to a page shows where it is shared: title, first paragraph and picture, as Open Graph has them."""

from html import escape
from textwrap import shorten
from urllib.parse import urljoin

from docutils import nodes

CARD = "_static/card.png"
LONGEST = 200  # characters of a description


def preview_tags(book: str, title: str, doctree: nodes.document | None, address: str, card: str) -> str:
    """Return the ``<meta>`` tags of a page.

    Args:
        book: name of the book.
        title: title of the page.
        doctree: its text, of which the first paragraph is the description; None for a page without one.
        address: the page's own address; empty if the book's is not known.
        card: address of the picture.
    """
    properties = {"og:type": "website", "og:site_name": book, "og:title": title, "og:image": card}
    if address:
        properties["og:url"] = address
    names = {"twitter:card": "summary_large_image"}
    if doctree is not None and (text := first_paragraph(doctree)):
        properties["og:description"] = names["description"] = text
    tags = [_tag("property", *each) for each in properties.items()] + [_tag("name", *each) for each in names.items()]
    return "\n".join(tags) + "\n"


def first_paragraph(doctree: nodes.document) -> str:
    """Return the first paragraph of a page that is in no list or table, cut to at most 200 characters."""
    found = (node for node in doctree.findall(nodes.paragraph) if isinstance(node.parent, nodes.section))
    return next((shorten(node.astext(), LONGEST, placeholder=" …") for node in found), "")


def page_address(base: str, page: str) -> str:
    """Return the address of a page or file of a book; it is empty if the address of the book is.

    >>> page_address("https://example.org/book", "claims.html")
    'https://example.org/book/claims.html'
    """
    return urljoin(base.rstrip("/") + "/", page) if base else ""


def _tag(kind: str, name: str, content: str) -> str:
    return f'<meta {kind}="{name}" content="{escape(content)}" />'
