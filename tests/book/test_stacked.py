"""Panels beside each other, drawn once more below each other for a narrow screen."""

import itertools
import re
from xml.etree import ElementTree

import matplotlib.pyplot as plt
import pytest
import seaborn as sns

from semalign.book.stacked import WIDTH, draw, in_two_forms, stack
from semalign.book.theme import inline_svg

pytestmark = pytest.mark.usefixtures("style")


def two_by_two():
    figure, axes = plt.subplots(2, 2, figsize=(7, 5), sharex=True, sharey=True)
    for i, axis in enumerate(axes.flat):
        axis.errorbar([0, 1], [i, i], yerr=1, fmt="o", label="a long name of a line")
    for axis, name in zip(axes[0], ["left", "right"], strict=True):
        axis.set_title(name)
    axes[1, 0].set(xlabel="x", ylabel="y")
    axes[0, 0].set_ylabel("y")
    axes[1, 1].set_xlabel("steps")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center")
    return figure


def boxes(figure):
    figure.canvas.draw()
    return [axis.get_window_extent() for axis in figure.axes]


def test_panels_stand_below_each_other_by_rows_and_keep_their_height():
    figure = two_by_two()
    before = [box.height for box in boxes(figure)]
    assert stack(figure)
    after = boxes(figure)
    assert figure.get_figwidth() == WIDTH
    assert all(upper.y0 > lower.y1 for upper, lower in itertools.pairwise(after))
    assert [box.height for box in after] == pytest.approx(before, rel=0.2)
    assert len({round(box.x0) for box in after}) == 1


def test_every_panel_has_the_numbers_names_and_title_that_it_shared():
    figure = two_by_two()
    stack(figure)
    assert [axis.get_title() for axis in figure.axes] == ["left", "right", "left", "right"]
    assert [axis.get_xlabel() for axis in figure.axes] == ["x", "steps", "x", "steps"]
    assert [axis.get_ylabel() for axis in figure.axes] == ["y"] * 4
    figure.canvas.draw()
    for axis in figure.axes:
        for side in (axis.xaxis, axis.yaxis):
            assert any(label.get_visible() and label.get_text() for label in side.get_ticklabels())


def test_names_that_seaborn_hides_are_shown():
    data = {"x": [0, 1] * 4, "y": range(8), "of": ["a", "a", "b", "b"] * 2}
    figure = sns.relplot(data, x="x", y="y", col="of", kind="line").figure
    stack(figure)
    assert [axis.yaxis.label.get_visible() and axis.get_ylabel() for axis in figure.axes] == ["y", "y"]


def test_a_legend_of_the_figure_stays_within_it_and_keeps_its_marks():
    figure = two_by_two()
    figure.legends[0].remove()
    handles, _ = figure.axes[0].get_legend_handles_labels()
    figure.legend(
        handles * 3, [f"a long name of a line, the {i}." for i in range(3)], loc="outside lower center", ncols=3
    )
    figure.canvas.draw()
    assert figure.legends[0].get_window_extent().width > WIDTH * figure.dpi
    stack(figure)
    figure.canvas.draw()
    (legend,) = figure.legends
    assert legend.get_window_extent().width <= figure.bbox.width
    assert legend.get_window_extent().y1 < figure.axes[-1].get_window_extent().y0


def test_a_colour_bar_stays_beside_its_panel():
    figure, axes = plt.subplots(1, 2, figsize=(7, 3))
    for axis in axes:
        figure.colorbar(axis.imshow([[0, 1]]), ax=axis)
    stack(figure)
    first, second, bar, other = boxes(figure)
    assert bar.x0 > first.x1 and other.x0 > second.x1
    assert first.y0 < bar.y0 + bar.height / 2 < first.y1 and second.y0 < other.y0 + other.height / 2 < second.y1


def test_hidden_panels_get_no_room():
    figure, axes = plt.subplots(2, 2, figsize=(7, 5))
    axes[1, 0].set_visible(False)
    axes[1, 1].set_axis_off()
    stack(figure)
    assert figure.get_figheight() == pytest.approx(5, rel=0.2)


@pytest.mark.parametrize("rows", [1, 2])
def test_one_column_is_left_alone(rows):
    figure, _ = plt.subplots(rows, 1, figsize=(7, 5))
    assert not stack(figure) and figure.get_figwidth() == 7
    text = draw(figure)
    assert "<metadata id" not in text and "narrow" not in inline_svg(text, "alt")


def test_a_figure_with_a_form_of_its_own_is_drawn_by_it_and_stays_as_it_is():
    def drawn(narrow):
        figure, axis = plt.subplots(figsize=(WIDTH if narrow else 7, 3))
        axis.set_title("narrow" if narrow else "wide")
        return figure

    figure = in_two_forms(drawn)
    text = inline_svg(draw(figure), "alt")
    parts = re.findall(r'<div class="drawing (wide|narrow)">(.*?)</div>', text, re.DOTALL)
    assert [name in part for name, part in parts] == [True, True] and len(parts) == 2
    assert figure.get_figwidth() == 7 and plt.get_fignums() == [figure.number]


def test_a_page_has_both_drawings_and_each_is_whole():
    text = inline_svg(draw(two_by_two()), "points")
    wide, narrow = re.findall(r'<div class="drawing (?:wide|narrow)">(.*?)</div>', text, re.DOTALL)
    for part in (wide, narrow):
        assert (
            part.startswith('<svg role="img" aria-label="points"') and part.count("<svg") == part.count("</svg>") == 1
        )
        assert part.rstrip().endswith("</svg>") and "steps" in part
    widths = [float(re.search(r'viewBox="0 0 ([\d.]+)', part)[1]) for part in (wide, narrow)]
    assert widths[0] > 1.7 * widths[1] and widths[1] < 72 * 3.75


def test_the_document_is_one_that_any_viewer_of_svg_opens():
    root = ElementTree.fromstring(draw(two_by_two()).encode())
    assert root.tag.endswith("svg") and root[-1].tag.endswith("metadata") and len(root[-1]) == 1


def test_the_same_figure_is_the_same_text():
    assert draw(two_by_two()) == draw(two_by_two())
