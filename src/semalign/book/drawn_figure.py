"""The directive ``drawn-figure``: a numbered figure that code draws, on a page that is no notebook."""

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective


def drawn_figure(drawing: str, caption: str, name: str) -> str:
    """Return a figure in MyST: a drawing in HTML on one line or several, with its caption and label."""
    return f"~~~{{drawn-figure}} {caption}\n:name: {name}\n\n{drawing}\n~~~\n"  # a caption may hold backticks


class DrawnFigure(SphinxDirective):
    """The directive ``drawn-figure``: its argument is the caption, its content the drawing in HTML."""

    required_arguments, final_argument_whitespace, has_content = 1, True, True
    option_spec = {"name": directives.unchanged}  # noqa: RUF012 (as in docutils)

    def run(self) -> list[nodes.Node]:
        """Return the figure, which Sphinx numbers as any other."""
        drawing = nodes.raw("", "\n".join(self.content), format="html")
        caption = nodes.caption("", "", *self.parse_inline(self.arguments[0])[0])
        figure = nodes.figure("", drawing, caption)
        self.add_name(figure)
        self.set_source_info(figure)
        return [figure]
