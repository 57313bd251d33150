"""The one style of all figures, and drawings as parts of a page."""

import re
from io import StringIO

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

from semalign.book.theme import INK, LEAST, inline_svg, lighter

pytestmark = pytest.mark.usefixtures("style")


def drawing():
    figure, axis = plt.subplots(figsize=(6, 3))
    axis.plot([0, 1], label="a line")
    axis.set(title="title", xlabel="x")
    axis.legend(title="legend")
    text = StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()


def test_figures_are_frameless_and_without_a_background():
    assert mpl.rcParams["figure.facecolor"] == mpl.rcParams["axes.facecolor"] == "none"
    assert not mpl.rcParams["axes.spines.top"] and mpl.rcParams["figure.constrained_layout.use"]


def test_no_text_is_below_eleven_pixels():
    sizes = [float(size) for size in re.findall(r"font(?:-size)?: ([\d.]+)px", drawing())]  # points of the document
    assert len(sizes) > 5 and min(sizes) * 4 / 3 * LEAST >= 11


def test_a_drawing_takes_the_size_and_the_colour_of_the_page():
    text = inline_svg(drawing(), 'points & "marks"')
    opening = re.search(r"<svg [^>]*>", text)[0]
    assert text.startswith('<div class="drawing"><svg role="img" aria-label="points &amp; &quot;marks&quot;"')
    assert "width: 576px; min-width: 432px; max-width: 100%; height: auto" in opening  # 6 inches, and 75% of them
    assert 'viewBox="0 0 432 216"' in opening and not re.search(r' (width|height)="', opening)
    assert "currentColor" in text and INK not in text and "<?xml" not in text


def test_what_nobody_sees_is_left_out():
    drawn, text = drawing(), inline_svg(drawing(), "")
    assert "<metadata>" in drawn and "<metadata>" not in text and not re.search(r">\s+<", text)
    written, shown = (re.findall(r">([^<]+)</text>", each) for each in (drawn, text))
    assert "a line" in written and shown == written


def test_the_font_of_most_texts_stands_once():
    text = "".join(f'<text style="font-size: 9px; font-family: {name}; fill: red">a</text>' for name in ("A", "B", "A"))
    page = inline_svg(f'<svg width="72pt"><text style="font-family: A">b</text>{text}</svg>', "")
    assert 'height: auto; font-family: A"' in page and page.count("font-family") == 2
    assert page.count('"font-size: 9px; fill: red"') == 2 and '"font-size: 9px; font-family: B; fill: red"' in page
    found = inline_svg(drawing(), "")
    assert found.count("font-family") == 1 and "Arial" in found


def test_places_keep_two_decimals_and_texts_keep_all():
    drawn = '<path d="M 1.23456 -0.005 L 10 2.5"/><use x="7.129999" y="8"/><text x="1.999">0.12345</text>'
    kept = '<path d="M 1.23 -0.00 L 10 2.5"/><use x="7.12" y="8"/><text x="1.99">0.12345</text>'
    assert lighter(drawn) == kept
    turned = '<text transform="rotate(-0.123456)" style="font-size: 0.12345px">a</text>'
    assert lighter(turned) == turned


def test_markers_that_look_alike_share_one_style():
    red, blue = 'style="fill: #f00"', 'style="fill: #00f"'
    cloud = f'<use x="1" {red}/><use x="2" {red}/><use x="3" {blue}/><use x="4" {blue}/><use x="5" {red}/>'
    groups = f'<g {red}><use x="1"/><use x="2"/></g><g {blue}><use x="3"/><use x="4"/></g><use x="5" {red}/>'
    assert lighter(cloud) == groups


@pytest.mark.parametrize("style", ["opacity: 0.5", "fill: #f00; opacity: 0.5"])
def test_markers_that_are_transparent_as_a_whole_stay_apart(style):
    cloud = f'<use x="1" style="{style}"/><use x="2" style="{style}"/>'
    assert lighter(cloud) == cloud


def test_the_same_drawing_is_the_same_text():
    assert drawing() == drawing()


def test_a_drawing_of_another_program_is_an_error():
    with pytest.raises(
        ValueError, match=r"^this SVG has no width in points: draw it with matplotlib, or write one into it$"
    ):
        inline_svg("<svg viewBox='0 0 1 1'></svg>", "")
