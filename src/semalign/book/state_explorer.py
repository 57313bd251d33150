"""The interactive page: what the states of teacher and student say, token by token and layer by layer."""

import json
from collections.abc import Callable, Iterator, Mapping
from importlib.resources import files
from typing import Any

from semalign.analysis.inside import VIEWS, used_tokens
from semalign.book.markdown import Html

Decode = Callable[[list[int]], str]
VIEW_NAMES = {
    "teacher": "Teacher",
    "target": "Target in the student's space",
    "before": "Student before",
    "after": "Student after",
}


def explorer(looks: Mapping[str, Mapping[str, Any]], decode: Decode) -> Html:
    """Return the interactive figure as one piece of HTML that needs no other file.

    Args:
        looks: what :meth:`semalign.analysis.inside.Inside.look` found in each text, by its title.
        decode: returns the text of token ids, which both models share.
    """
    # A script ends at the first "</", wherever it stands, so JSON must not contain it.
    data = json.dumps(explorer_data(looks, decode), ensure_ascii=False, separators=(",", ":")).replace("</", "<\\/")
    template = files("semalign.book").joinpath("state_explorer.html").read_text("utf-8")
    return Html(template.replace("{{data}}", data))


def explorer_data(looks: Mapping[str, Mapping[str, Any]], decode: Decode) -> dict[str, Any]:
    """Return the data of the figure: the texts with their titles, and the text of every token that occurs."""
    return {
        "views": VIEW_NAMES,
        "texts": [{"title": title, **look} for title, look in looks.items()],
        "vocabulary": {i: decode([i]) for i in used_tokens(list(looks.values()))},
    }


def all_lines(look: Mapping[str, Any], decode: Decode) -> Iterator[dict[str, Any]]:
    """Yield a line for each layer, position, view, kind and rank: all that the figure can show of one text."""
    for layer in look["layers"]:
        for view, kinds in layer["views"].items():
            for kind, positions in kinds.items():
                for position, strongest in enumerate(positions, start=look["first"] + 1):
                    where = {"student_layer": layer["student"], "position": position, "view": view, "kind": kind}
                    for rank, (i, value) in enumerate(strongest, start=1):
                        yield {**where, "rank": rank, "token": decode([i]), "value": value}


def strongest_lines(look: Mapping[str, Any], decode: Decode) -> list[dict[str, Any]]:
    """Return one line for each view and rank of the last position of the last layer, for a static picture."""
    layer = look["layers"][-1]
    return [
        {"view": view, "rank": rank, "atom": decode([i]), "cosine": cosine}
        for view in VIEWS
        for rank, (i, cosine) in enumerate(layer["views"][view]["atoms"][-1], start=1)
    ]
