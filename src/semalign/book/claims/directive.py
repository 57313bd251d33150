"""The directive ``claims``: the tests of all claims, or by its argument ``at-a-glance`` or ``counts``."""

from collections.abc import Sequence

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective

from semalign.book.kept_texts import kept, store
from semalign.paths import data_dir

MAKES = "claims.page:{}"
SHOWN = {"": "tables", "at-a-glance": "glance", "counts": "counts"}  # what each argument shows


class Claims(SphinxDirective):
    """The directive ``claims``."""

    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the nodes; the claims are evaluated where something below ``data/`` or the code has changed."""
        shown = SHOWN[self.arguments[0] if self.arguments else ""]
        text = kept(self.env, MAKES.format(shown), [data_dir()])
        return self.parse_text_to_nodes(text, allow_section_headings=True)


def evaluate_first(app: Sphinx, env: BuildEnvironment, docnames: Sequence[str]) -> None:
    """Evaluate all claims before any page is read, if something has changed and pages will show them.

    Processes read pages, those of one book several, and they have what was computed before they started.
    """
    if docnames and not store(env).has(MAKES.format("counts"), [data_dir()]):
        from semalign.book.claims.page import ledger  # with its rules, which take seconds to import

        ledger().evaluate()
