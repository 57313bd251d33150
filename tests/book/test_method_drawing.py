"""The drawing of the method is the one that its code makes, and a page can take in both of its forms."""

from xml.etree import ElementTree

from semalign.book import method_drawing
from semalign.book.theme import inline_svg
from semalign.paths import project_root


def test_the_file_is_what_the_code_draws():
    assert (project_root() / method_drawing.PLACE).read_text(encoding="utf-8") == method_drawing.drawing()


def test_an_index_goes_below_or_above_the_line_and_back():
    text = ElementTree.fromstring(f"<text>{method_drawing.formula('**s**_{i}^{T} *a*_{*}')}</text>")
    assert "".join(text.itertext()) == "siT a*"
    assert all(span.text.strip() for span in text)
    moves = [float(span.get("dy", 0)) for span in text]
    assert moves == [0, 4, -9, 5, 4]
    assert text[0].get("font-weight") == "700" and text[3].get("font-style") == "italic"


def test_bars_stand_on_their_line_at_their_heights():
    upright, line = ElementTree.fromstring(f"<g>{method_drawing.bars(10, 50, (3, 4), 'red')}</g>")
    assert upright.get("d") == "M10 50v-3M24 50v-4" and line.get("d") == "M2 50h30"


def test_a_model_has_a_box_for_each_layer_and_one_of_them_has_a_colour():
    boxes = ElementTree.fromstring(f"<g>{method_drawing.model(0, 0, 4, 2, 'red', 'layer')}</g>")[0]
    assert [box.get("fill") for box in boxes] == [None, None, "red", None]


def test_both_forms_are_taken_into_a_page_and_every_mark_refers_to_its_own_tip():
    page = inline_svg(method_drawing.drawing(), "the method")
    assert page.count('<div class="drawing') == 2 and "width: 344px" in page
    for form in (method_drawing.wide(), method_drawing.narrow()):
        drawing = ElementTree.fromstring(form)
        tips = {element.get("id") for element in drawing.iter() if element.tag.endswith("marker")}
        used = {element.get("marker-end") for element in drawing.iter()} - {None}
        assert used == {f"url(#{name})" for name in tips}
