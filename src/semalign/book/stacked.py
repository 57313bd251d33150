"""Figures for a phone: the panels of a figure one below the other, kept within the wide drawing of the same figure.

A notebook shows a figure as one SVG document. If the figure has several columns of panels, the document holds a second
drawing as metadata, which viewers ignore; the page takes it out (:func:`semalign.book.theme.inline_svg`) and shows it
instead on a narrow screen. A figure whose one column needs more width than a phone has is drawn by a function of its
form (:func:`in_two_forms`).
"""

import sys
from collections.abc import Callable, Mapping
from functools import partial
from weakref import WeakKeyDictionary

import matplotlib.pyplot as plt
from IPython import get_ipython
from IPython.core.pylabtools import print_figure
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.legend import Legend

from semalign.book.theme import END, STACKED

WIDTH = 3.6  # inches: a drawing of this width needs no scrolling on a phone
_NARROW: WeakKeyDictionary[Figure, Callable[[], Figure]] = WeakKeyDictionary()


def draw_in_notebooks() -> None:
    """Let a notebook show its figures as :func:`draw` writes them; outside of notebooks there is nothing to do."""
    if "ipykernel" in sys.modules:
        from matplotlib_inline.backend_inline import set_matplotlib_formats

        set_matplotlib_formats("svg")
        get_ipython().display_formatter.formatters["image/svg+xml"].for_type(Figure, draw)


def in_two_forms(drawn: Callable[[bool], Figure]) -> Figure:
    """Return a figure that :func:`draw` shows in another form on a narrow screen.

    Args:
        drawn: draws the figure: with False the one that is returned, with True one of the width :data:`WIDTH`.
    """
    figure = drawn(False)
    _NARROW[figure] = partial(drawn, True)
    return figure


def narrow_form(figure: Figure) -> Figure | None:
    """Return a figure's form for a narrow screen: its own, or the figure itself, stacked; None if it has but one."""
    if figure in _NARROW:
        return _NARROW[figure]()
    return figure if stack(figure) else None


def draw(figure: Figure) -> str:
    """Return a figure as SVG, which holds the drawing for a narrow screen if there is one; see :func:`narrow_form`."""
    wide = _svg(figure)
    other = narrow_form(figure)
    if other is None:
        return wide
    narrow = _svg(other)
    if other is not figure:
        plt.close(other)  # a notebook shows every figure that is open
    end = wide.rindex("</svg>")
    return f"{wide[:end]}{STACKED}{narrow[narrow.index('<svg') :]}{END}"


def stack(figure: Figure) -> bool:
    """Put the panels of a figure one below the other, by rows, if it has several columns; return whether it has.

    A panel keeps its height. What it left to its neighbours, it has again: numbers and names of both axes, and the
    title of its column.
    """
    specs = [(axis, axis.get_subplotspec()) for axis in figure.axes]  # colour bars have none
    places = {(spec.rowspan.start, spec.colspan.start): axis for axis, spec in specs if spec}
    grid = dict(sorted((place, axis) for place, axis in places.items() if _is_shown(axis)))
    if len({place[1] for place in grid}) < 2:
        return False
    figure.set_layout_engine("constrained")
    rows = {row: _height(axis) for (row, _), axis in places.items()}
    around = (figure.get_figheight() - sum(rows.values())) / len(rows)  # each row: titles and names of axes
    heights = [rows[row] for row, _ in grid]
    column = GridSpec(len(grid), 1, figure, height_ratios=heights)
    for place, axis in grid.items():
        _complete(axis, place, grid)
    for row, axis in enumerate(grid.values()):
        axis.set_subplotspec(column[row])
    figure.set_size_inches(WIDTH, sum(heights) + around * len(grid))
    for legend in list(figure.legends):
        _below(figure, legend)
    return True


def _svg(figure: Figure) -> str:
    return str(print_figure(figure, fmt="svg", metadata={"Date": None}))


def _is_shown(axis: Axes) -> bool:
    return axis.get_visible() and (axis.axison or bool(axis.get_title()))


def _height(axis: Axes) -> float:
    return float(axis.get_window_extent().height / axis.figure.dpi)


def _complete(axis: Axes, place: tuple[int, int], grid: Mapping[tuple[int, int], Axes]) -> None:
    row, column = place
    left = grid[row, min(c for r, c in grid if r == row)]
    above, below = (grid[end(r for r, c in grid if c == column), column] for end in (min, max))
    axis.tick_params(labelleft=True, labelbottom=True)
    axis.set_ylabel(axis.get_ylabel() or left.get_ylabel())
    axis.set_xlabel(axis.get_xlabel() or below.get_xlabel())
    axis.set_title(axis.get_title() or above.get_title())
    for side in (axis.xaxis, axis.yaxis):
        side.label.set_visible(True)


def _below(figure: Figure, legend: Legend) -> None:
    """Put a legend of the figure below all panels, in as many columns as there is width for."""
    labels = [text.get_text() for text in legend.texts]
    drawn = dict(pair[::-1] for axis in figure.axes for pair in zip(*axis.get_legend_handles_labels(), strict=True))
    given = {label: handle for label, handle in zip(labels, legend.legend_handles, strict=True) if handle is not None}
    handles = [(given | drawn)[label] for label in labels]
    title = legend.get_title().get_text() or None
    legend.remove()
    for columns in (3, 2, 1):
        new = figure.legend(handles, labels, loc="outside lower center", ncols=columns, title=title)
        figure.canvas.draw()
        if columns == 1 or new.get_window_extent().width <= figure.bbox.width:
            return
        new.remove()
