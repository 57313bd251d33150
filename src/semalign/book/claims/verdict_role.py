"""The role ``verdict``: what the tests of a claim give for one profile, in the prose of a page."""

from docutils import nodes
from docutils.nodes import Node, system_message
from sphinx.util.docutils import SphinxRole

from semalign.book.claims.verdicts import NOT, PARTLY
from semalign.book.kept_texts import kept
from semalign.paths import data_dir

IN_PROSE = {PARTLY: "reproduced in part", NOT: "not reproduced"}  # the others are words for themselves


class VerdictRole(SphinxRole):
    """The role ``verdict``, whose text is that of :func:`semalign.book.claims.page.verdict`."""

    def run(self) -> tuple[list[Node], list[system_message]]:
        """Return the verdict as text; the page is read again once something below ``data/`` or the code changes."""
        try:
            found = kept(self.env, "claims.page:verdict", [data_dir()], self.text)
            return [nodes.emphasis("", IN_PROSE.get(found, found))], []
        except ValueError as error:
            message = self.inliner.reporter.error(str(error), line=self.lineno)
            return [nodes.problematic(self.rawtext, self.rawtext)], [message]
