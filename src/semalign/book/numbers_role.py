"""The role ``num``: a number of a record in the prose of a page, so that nobody types it."""

from collections.abc import Mapping
from functools import reduce
from typing import Any

from docutils import nodes
from docutils.nodes import Node, system_message
from sphinx.util.docutils import SphinxRole

from semalign.book.claims.verdicts import NOT_RUN
from semalign.book.kept_texts import kept
from semalign.files import read_json
from semalign.paths import results_dir


def number(text: str) -> str:
    """Return a number of a file below ``data/results``, as ``FILE:FIELD:FORMAT`` asks for it.

    ``FIELD`` has dots between keys, and numbers for places in a list. ``FORMAT`` is a format of Python, such as
    ``.2f``, and may be left out. Without the file the text is "not run".

    Raises:
        ValueError: if the file has no such field, or the text does not have this form.
    """
    name, field, form = [*text.split(":", 2), "", ""][:3]
    path = results_dir() / name
    if not field:
        raise ValueError(f"{text!r} names no field: write FILE:FIELD:FORMAT")
    if not path.is_file():
        return NOT_RUN
    try:
        return format(reduce(_step, field.split("."), read_json(path)), form)
    except (LookupError, TypeError, ValueError) as error:
        raise ValueError(f"data/results/{name} has no {field} that can be written as {form or 'text'!r}") from error


def _step(content: Any, key: str) -> Any:
    return content[key] if isinstance(content, Mapping) else content[int(key)]


class NumberRole(SphinxRole):
    """The role ``num``, whose text is that of :func:`number`."""

    def run(self) -> tuple[list[Node], list[system_message]]:
        """Return the number as text; the page is read again once its record has changed."""
        try:
            text = kept(self.env, "numbers_role:number", [results_dir() / self.text.partition(":")[0]], self.text)
            return [nodes.Text(text)], []
        except ValueError as error:
            message = self.inliner.reporter.error(str(error), line=self.lineno)
            return [nodes.problematic(self.rawtext, self.rawtext)], [message]
