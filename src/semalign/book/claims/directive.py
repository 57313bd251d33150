"""The directive ``claims``: the tables of all claims, or with the argument ``counts`` the count of verdicts."""

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from semalign.book.claims.page import counts, tables


class Claims(SphinxDirective):
    """The directive ``claims``."""

    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the nodes; the page is read again in every build, since its records may have changed."""
        self.env.note_reread()
        return self.parse_text_to_nodes(
            counts() if self.arguments == ["counts"] else tables(), allow_section_headings=True
        )
