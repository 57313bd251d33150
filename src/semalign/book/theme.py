"""The style of the book's figures, and their place in a page.

Figures are drawings (SVG) without a background, and the page takes them in as part of itself: text and axes have the
colour of its text, so that one drawing serves light and dark mode. The palette is Wong's, whose colours remain distinct
on both and for readers with the common forms of colour blindness.

Text is 11 points, and a drawing is never shown at less than three quarters of its size: no text is below 11 pixels.
On a phone, panels beside each other stand below each other, and some figures have a form of their own
(:mod:`semalign.book.stacked`); what is then still wider than the screen scrolls in its own box.
"""

import re
from collections import Counter
from html import escape

INK = "#272625"  # of text and axes; becomes the colour of the page's text
LEAST = 0.75  # of a drawing's size
POINT = 4 / 3  # pixels
STACKED, END = '<metadata id="stacked">', "</metadata>\n</svg>"  # around a drawing for narrow screens
TITLED = re.compile(r'<g id="title: ([^"]*)">')  # a part of a drawing that says something where the pointer rests
UNSEEN = re.compile(r"<metadata>.*?</metadata>|(?:^|(?<=>))\s+(?=<)", re.DOTALL)  # a tenth of what matplotlib writes
PLACE = re.compile(r'(?<= )(?:d|x|y)="[^"]*"')  # of a point or of the points of a line
FINE = re.compile(r"(\.\d\d)\d+")  # digits of a place beyond a hundredth of a point
SAME = re.compile(r'<use [^>]*?style="([^"]*)"/>(?:<use [^>]*?style="\1"/>)+')  # markers that look alike
FAMILY = re.compile(r"font-family: ([^;\"]*)(?:; |(?=\"))")
OPENING = re.compile(r'<svg [^>]*?width="([\d.]+)pt"[^>]*>')


def apply_theme() -> None:
    """Set the common style of all figures."""
    import seaborn as sns  # pages that draw nothing need not wait for it

    ink = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")
    settings = {
        **dict.fromkeys(ink, INK),
        "figure.figsize": (4.6, 3.4),
        "figure.constrained_layout.use": True,
        "figure.facecolor": "none",
        "axes.facecolor": "none",
        "font.size": 11,
        "axes.titlesize": 11,
        "axes.labelsize": 11,
        "legend.title_fontsize": 11,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "legend.frameon": False,
        "grid.color": "#8080804d",
        "svg.fonttype": "none",
        "svg.hashsalt": "semalign",
    }
    sns.set_theme(context="notebook", style="whitegrid", palette="colorblind", rc=settings)


def inline_svg(drawing: str, alt: str) -> str:
    """Return a drawing by matplotlib as HTML that is part of a page, in the colour of its text.

    Args:
        drawing: the SVG document; with a stacked drawing in it, a narrow screen shows this one.
        alt: what the drawing shows, for readers who cannot see it.

    Raises:
        ValueError: if the document has no width in points, as those of matplotlib and of ``book/_static`` have.
    """
    wide, _, narrow = drawing.rstrip().partition(STACKED)
    if not narrow:
        return f'<div class="drawing">{_part_of_page(wide, alt)}</div>'
    parts = (("wide", f"{wide}</svg>"), ("narrow", narrow.removesuffix(END)))
    return "".join(f'<div class="drawing {name}">{_part_of_page(part, alt)}</div>' for name, part in parts)


def _part_of_page(drawing: str, alt: str) -> str:
    start = OPENING.search(drawing)
    if start is None:
        raise ValueError("this SVG has no width in points: draw it with matplotlib, or write one into it")
    width = float(start[1]) * POINT
    inside, family = _with_one_family(lighter(drawing[start.end() :]).replace(INK, "currentColor"))
    style = f"width: {width:.0f}px; min-width: {LEAST * width:.0f}px; max-width: 100%; height: auto{family}"
    opening = re.sub(r'(width|height)="[\d.]+pt" ?', "", start[0])
    opening = opening.replace("<svg", f'<svg role="img" aria-label="{escape(alt)}" style="{style}"', 1)
    return opening + TITLED.sub(r"<g><title>\1</title>", inside)


def _with_one_family(inside: str) -> tuple[str, str]:
    """Return the inside of a drawing whose texts inherit the font that most of them have, and that font as a style."""
    families = Counter(FAMILY.findall(inside))
    if not families:
        return inside, ""
    family = families.most_common(1)[0][0]
    return FAMILY.sub(lambda found: "" if found[1] == family else found[0], inside), f"; font-family: {family}"


def lighter(drawing: str) -> str:
    """Return a drawing that looks the same and has about three quarters of the characters.

    Metadata and the space between elements go, places keep two decimals, and markers that look alike have their style
    once, on a group around them. A style with the opacity of a whole marker stays, since a group has it as a whole too.
    """
    drawing = UNSEEN.sub("", drawing)
    drawing = PLACE.sub(lambda place: FINE.sub(r"\1", place[0]), drawing)
    return SAME.sub(_with_one_style, drawing)


def _with_one_style(markers: re.Match[str]) -> str:
    style = f' style="{markers[1]}"'
    if re.match(r"opacity|.*; opacity", markers[1]):
        return markers[0]
    return f"<g{style}>{markers[0].replace(style, '')}</g>"
