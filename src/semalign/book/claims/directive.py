"""The directive ``claims``: the tests of all claims, or by its argument ``at-a-glance`` or ``counts``."""

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from semalign.book.kept_texts import kept
from semalign.paths import data_dir

SHOWN = {"": "tables", "at-a-glance": "glance", "counts": "counts"}  # what each argument shows


class Claims(SphinxDirective):
    """The directive ``claims``."""

    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the nodes; the claims are evaluated where something below ``data/`` or the code has changed."""
        shown = SHOWN[self.arguments[0] if self.arguments else ""]
        text = kept(self.env, f"claims.page:{shown}", [data_dir()])
        return self.parse_text_to_nodes(text, allow_section_headings=True)
