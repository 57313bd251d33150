"""The directive ``claims``: the tables of all claims, or with the argument ``counts`` the count of verdicts."""

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from semalign.book.kept_texts import kept
from semalign.paths import data_dir


class Claims(SphinxDirective):
    """The directive ``claims``."""

    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the nodes; the claims are evaluated where something below ``data/`` or the code has changed."""
        function = "counts" if self.arguments == ["counts"] else "tables"
        text = kept(self.env, f"claims.page:{function}", [data_dir()])
        return self.parse_text_to_nodes(text, allow_section_headings=True)
