"""Corrections of HTML that the tools of the book write, for screen readers and for narrow lines."""

import re

# The arguments of a long signature: a list of definitions without the terms that they define.
ARGUMENTS = re.compile(r'<dl>\n((?:<dd>.*</dd>\n)+)</dl>(?=\n\n<span class="sig-paren">)')
# Entries of a bibliography: the role is no longer one of a list's.
ENTRY = 'role="doc-biblioentry"'
# Words of code that are too long for a narrow column.
LONG = re.compile(r'<span class="pre">((?:&[^;]+;|[^<&]){25,})</span>')


def accessible(html: str) -> str:
    r"""Return the HTML of a page with arguments and references as plain lists.

    >>> accessible('<dl>\n<dd>x,</dd>\n</dl>\n\n<span class="sig-paren">)</span>')
    '<ul class="sig-arguments">\n<li>x,</li>\n</ul>\n\n<span class="sig-paren">)</span>'
    """
    return ARGUMENTS.sub(_arguments, html).replace(ENTRY, 'role="listitem"')


def breakable(html: str) -> str:
    """Return the HTML of a page where long words of code have a class of their own, by which the style lets them break.

    >>> breakable('<span class="pre">--set</span> <span class="pre">semalign.analysis.diagnosis</span>')
    '<span class="pre">--set</span> <span class="pre long">semalign.analysis.diagnosis</span>'
    """
    return LONG.sub(r'<span class="pre long">\1</span>', html)


def _arguments(found: re.Match[str]) -> str:
    items = found[1].replace("<dd>", "<li>").replace("</dd>\n", "</li>\n")
    return f'<ul class="sig-arguments">\n{items}</ul>'
