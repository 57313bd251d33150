"""The role ``verdict``: what the tests of a claim give for one profile or two, in the prose of a page."""

from collections.abc import Sequence

from docutils import nodes
from docutils.nodes import Node, system_message
from sphinx.util.docutils import SphinxRole

from semalign.book.kept_texts import kept
from semalign.paths import data_dir


class VerdictRole(SphinxRole):
    """The role ``verdict``: :func:`semalign.book.claims.page.verdict` in words, once for two profiles that agree."""

    def run(self) -> tuple[list[Node], list[system_message]]:
        """Return the verdict as text; the page is read again once something below ``data/`` or the code changes."""
        try:
            found = kept(self.env, "claims.page:verdict", [data_dir()], self.text)
            return [nodes.emphasis("", in_words(found.split(",")))], []
        except ValueError as error:
            message = self.inliner.reporter.error(str(error), line=self.lineno)
            return [nodes.problematic(self.rawtext, self.rawtext)], [message]


def in_words(verdicts: Sequence[str]) -> str:
    """Return the verdicts for one profile or two in words; raise ``ValueError`` for more."""
    if len(verdicts) > 2:
        raise ValueError(f"the role verdict takes one profile or two, not {len(verdicts)}: use it again for the others")
    if len(set(verdicts)) == 1:
        return verdicts[0]
    return f"{verdicts[0]} for the first and {verdicts[1]} for the second"
