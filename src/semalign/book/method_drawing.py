"""The drawing of the method on the landing page and in the README, in a wide form and, within it, one for a phone.

python -m semalign.book.method_drawing
"""

import re

from semalign.book.theme import END, STACKED
from semalign.files import atomic_path
from semalign.paths import project_root

PLACE = "book/_static/method.svg"
TEACHER, STUDENT, INK = "#1b5e9b", "#c25e00", "#6e7781"
FONTS = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"
COEFFICIENTS = (62, 18, 40, 8, 26, 64, 14, 34, 22)  # heights of bars, one for each of a few tokens
TARGET = (30, 64, 20, 46, 12, 62, 24)
BETWEEN = 14  # bars
COSINE = "*a*_{i} = cos(**h**^{T}, **s**_{i}^{T})"
SUM = "**h**_{*} = Σ_{i} *a*_{i} **s**_{i}^{S}"
LOSS = "min 1 − cos(**h**^{(k)}, **h**_{*})"
OUTPUT = "+ 1 − cos(**z**, **y**)"
PIECE = re.compile(
    r"\*\*(?P<bold>.+?)\*\*|(?<!{)\*(?P<italic>.+?)\*|_{(?P<low>.+?)}|\^{(?P<high>.+?)}|(?P<plain>[^*_^]+)"
)
LOOKS = {"bold": 'font-weight="700"', "italic": 'font-style="italic"', "plain": ""}
RAISED = {"low": 4, "high": -5}  # by how much an index stands below the line


def formula(text: str) -> str:
    """Return a line of text as the inside of an SVG text: ``**bold**``, ``*italic*``, ``_{index}``, ``^{index}``.

    >>> formula("*a*_{i} = 1")
    '<tspan font-style="italic">a</tspan><tspan font-size="12" dy="4">i</tspan><tspan dy="-4"> = 1</tspan>'
    """
    parts, height, space = [], 0, ""
    for piece in PIECE.finditer(text):
        kind = str(piece.lastgroup)
        if piece[kind].isspace():  # on a page, a tspan of its own would be empty, and move nothing
            space = piece[kind]
            continue
        wanted = RAISED.get(kind, 0)
        look = [LOOKS.get(kind, 'font-size="12"'), f'dy="{wanted - height}"' if wanted != height else ""]
        parts.append(
            f"<tspan {' '.join(filter(None, look))}>{space}{piece[kind]}</tspan>".replace("<tspan >", "<tspan>")
        )
        height, space = wanted, ""
    return "".join(parts)


def words(x: float, y: float, text: str, size: int = 14, anchor: str = "middle") -> str:
    """Return a line of text at a place; see :func:`formula`."""
    return f'<text x="{x}" y="{y}" font-size="{size}" text-anchor="{anchor}">{formula(text)}</text>'


def model(x: float, y: float, number: int, chosen: int, colour: str, label: str) -> str:
    """Return a model as boxes, one for each layer, of which one has a colour and a label."""
    boxes = []
    for k in range(number):
        look = f' fill="{colour}" fill-opacity=".25" stroke="{colour}" stroke-width="2.4"' if k == chosen else ""
        boxes.append(f'<rect x="{x}" y="{y + 28 * k}" width="110" height="24" rx="4"{look}/>')
    return f'<g stroke-width="1.2">{"".join(boxes)}</g>{_texts(words(x + 55, y + 28 * chosen + 17, label))}'


def bars(x: float, base: float, heights: tuple[int, ...], colour: str) -> str:
    """Return numbers as bars on a line."""
    path = "".join(f"M{x + BETWEEN * i} {base}v-{height}" for i, height in enumerate(heights))
    line = f"M{x - 8} {base}h{BETWEEN * (len(heights) - 1) + 16}"
    return f'<path stroke="{colour}" stroke-width="7" d="{path}"/><path stroke-width="1" d="{line}"/>'


def _texts(*lines: str) -> str:
    return f'<g fill="currentColor" stroke="none">{"".join(lines)}</g>'


def _arrows(name: str, *paths: str) -> str:
    lines = "".join(f'<path d="{path}"/>' for path in paths)
    return f'<g stroke-width="1.6" marker-end="url(#{name})">{lines}</g>'


def _svg(name: str, width: int, height: int, *parts: str) -> str:
    point = '<path d="M0 0 8 4 0 8Z" fill="currentColor" stroke="none"/>'
    look = 'viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"'
    size = f'width="{width * 0.75:g}pt" height="{height * 0.75:g}pt" viewBox="0 0 {width} {height}"'
    lines = (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} color="{INK}" fill="none" stroke="currentColor" '
        f'font-family="{FONTS}">',
        f'<defs><marker id="{name}" {look}>{point}</marker></defs>',
        *parts,
        "</svg>",
    )
    return "\n".join(lines)


def wide() -> str:
    """Return the drawing from left to right: teacher, coefficients, target, student."""
    heads = ((75, "**teacher**"), (265, "**coefficients**"), (485, "**target**"), (685, "**student**"))
    return _svg(
        "method-tip", 760, 314,
        _texts(*(words(x, 24, text, 15) for x, text in heads)),
        model(20, 40, 6, 2, TEACHER, "layer *ℓ*"),
        model(630, 56, 5, 2, STUDENT, "layer *k*, LoRA"),
        bars(210, 190, COEFFICIENTS, TEACHER),
        bars(443, 190, TARGET, STUDENT),
        _arrows("method-tip", "M132 109h64", "M336 150h86", "M545 125h79"),
        _texts(
            words(164, 100, "**h**^{T}"), words(379, 140, "the same"), words(585, 115, "steer"),
            words(265, 214, "one for each token"), words(485, 214, "in the student's space"),
            words(75, 246, "attribution picks *ℓ*"), words(265, 246, COSINE, 16), words(485, 246, SUM, 16),
            words(660, 232, LOSS, 16), words(660, 254, OUTPUT, 16),
            words(380, 282, "the atoms s of a model are the columns of its LM head's pseudoinverse, "
                            "one for each token that both models have;", 13),
            words(380, 300, "z are the student's logits, and y is the next token of the label", 13),
        ),
    )  # fmt: skip


def narrow() -> str:
    """Return the drawing from top to bottom, for a phone."""
    heads = ((18, "**teacher**"), (230, "**coefficients**"), (372, "**target**"), (504, "**student**"))
    atoms = ("the atoms s of a model are the columns", "of its LM head's pseudoinverse, one for each")
    logits = ("token that both models have; z are the", "student's logits, y is the label's next token")
    return _svg(
        "method-tip-narrow", 344, 758,
        _texts(*(words(75, y, text, 15) for y, text in heads)),
        model(20, 28, 5, 2, TEACHER, "layer *ℓ*"),
        model(20, 514, 5, 2, STUDENT, "layer *k*, LoRA"),
        bars(19, 310, COEFFICIENTS, TEACHER),
        bars(33, 452, TARGET, STUDENT),
        _arrows("method-tip-narrow", "M130 96h14v94h-69v22", "M75 318v34", "M75 460v14h75v108h-14"),
        _texts(
            *(words(x, y, text, size, "start") for x, y, text, size in (
                (160, 101, "attribution picks *ℓ*", 14), (88, 184, "**h**^{T}", 14),
                (160, 274, COSINE, 16), (160, 300, "one for each token", 14), (88, 340, "the same", 14),
                (160, 416, SUM, 16), (160, 442, "in the student's space", 14),
                (160, 528, "steer", 14), (160, 582, LOSS, 16), (160, 604, OUTPUT, 16),
            )),
            *(words(172, 690 + 18 * i, text, 13) for i, text in enumerate((*atoms, *logits))),
        ),
    )  # fmt: skip


def drawing() -> str:
    """Return the SVG document: the wide drawing, which holds the other (:mod:`semalign.book.theme`)."""
    return f"{wide().removesuffix('</svg>')}{STACKED}{narrow()}{END}\n"


if __name__ == "__main__":
    with atomic_path(project_root() / PLACE) as path:
        path.write_text(drawing(), encoding="utf-8")
