"""The book as one page, for print: what is not in it cannot be opened from paper."""

import re

# Links to files: neither to a place on the page nor to an address.
FILE_LINK = re.compile(r'<a\b[^>]*\bhref="(?!#|https?:|mailto:)[^"]*"[^>]*>(.*?)</a>', re.DOTALL)


def without_file_links(html: str) -> str:
    """Return the HTML of a page with the text of links to files in their place; a PDF would name folders of a machine.

    >>> without_file_links('<a class="x" href="../data/a.csv" download>data</a>, <a href="#b">below</a>')
    'data, <a href="#b">below</a>'
    """
    return FILE_LINK.sub(r"\1", html)
