"""The interactive page is one piece of HTML whose data are whole."""

import json
import re

from semalign.book.state_explorer import VIEW_NAMES, all_lines, explorer, explorer_data, strongest_lines

STRONGEST = [[(0, 0.5), (1, 0.25)]]
VIEW = {"atoms": STRONGEST, "read": [[(2, 0.9)]]}
LOOK = {
    "tokens": [3, 4],
    "first": 0,
    "layers": [{"student": 1, "teacher": 2, "views": dict.fromkeys(VIEW_NAMES, VIEW)}],
}


def decode(ids):
    return ["</script>", "é", " b", "c", "d"][ids[0]]


def test_the_data_are_the_looks_and_the_tokens_that_occur():
    data = explorer_data({"Text": LOOK}, decode)
    assert data["vocabulary"] == {0: "</script>", 1: "é", 2: " b", 3: "c", 4: "d"}
    assert data["texts"] == [{"title": "Text", **LOOK}]
    assert list(data["views"]) == [
        "teacher",
        "target",
        "before",
        "after",
    ]


def test_the_page_holds_its_data_and_asks_for_no_other_file():
    html = explorer({"Text": LOOK}, decode).text
    (found,) = re.findall(r'<script type="application/json" class="se-data">(.*?)</script>', html, re.DOTALL)
    assert json.loads(found)["vocabulary"]["0"] == "</script>"
    assert not re.search(r'(src|href)="|url\(|@import|fetch\(', html)
    assert html.count("<script") == html.count("</script>") == 2


def test_the_static_picture_shows_the_last_state_of_the_last_layer():
    lines = strongest_lines(LOOK, decode)
    assert len(lines) == 8 and lines[0] == {"view": "teacher", "rank": 1, "atom": "</script>", "cosine": 0.5}


def test_all_that_can_be_seen_is_a_line():
    lines = list(all_lines(LOOK, decode))
    assert len(lines) == 4 * 3 and lines[0] == {
        "student_layer": 1, "position": 1, "view": "teacher", "kind": "atoms", "rank": 1, "token": "</script>",
        "value": 0.5,
    }  # fmt: skip
    assert {(line["kind"], line["token"]) for line in lines} == {("atoms", "</script>"), ("atoms", "é"), ("read", " b")}
