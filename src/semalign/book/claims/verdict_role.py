"""The role ``verdict``: what the tests of a claim give for one profile or two, in the prose of a page."""

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
            words = found.split(",")
            alike = len(set(words)) == 1
            told = words[0] if alike else f"{words[0]} for the first and {words[1]} for the second"
            return [nodes.emphasis("", told)], []
        except ValueError as error:
            message = self.inliner.reporter.error(str(error), line=self.lineno)
            return [nodes.problematic(self.rawtext, self.rawtext)], [message]
