"""The numbers that a writer typed into the prose of the book, which have to be no measurements.

Measured numbers come into the text by the role ``num`` (:mod:`semalign.book.numbers_role`), by directives, and in
notebooks by cells that show Markdown. What is left are the paper's numbers, settings, and definitions.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import jupytext
import pandas as pd
import yaml

from semalign.experiments.profiles import load_profile
from semalign.methods.registry import methods
from semalign.models.pretrained import load_config
from semalign.paths import data_dir, models_dir

FENCE = re.compile(r"^(?P<fence>`{3,}|:{3,}\{).*?^(?:`{3,}|:{3,})\s*$", re.MULTILINE | re.DOTALL)
NO_PROSE = [
    re.compile(r"<!--.*?-->", re.DOTALL),
    re.compile(r"\$\$.*?\$\$", re.DOTALL),
    re.compile(r"\$[^$\n]+\$"),
    re.compile(r"(\{[\w:-]+\})?`+[^`]+`+"),  # code and roles
    re.compile(r"\]\([^)]*\)"),  # the target of a link
    re.compile(r"https?://\S+"),
    re.compile(r"^\s*\d+\.\s", re.MULTILINE),  # the number of a list's item
    re.compile(r"\b\d+\.\d+\.\d+\b"),  # versions
    re.compile(r"\b95% (?:\w+ )?intervals?"),
    re.compile(r"^- \*\*Cost\*\*:.*$", re.MULTILINE),  # how long a notebook takes, roughly: its order in a run
]
MORE = r"(?:,? ?(?:and|or|to|–)? ?\d[\d.]*\d?)*"
NAMED = re.compile(  # numbers that are part of a name
    r"\b(?:Tables?|Figs?\.|Figures?|Sections?|Eq\.|Appendix|Python|Linux|Llama|Gemma|versions?|Steps|[Cc]laims?)[ -]"
    r"\d[\d.]*\d?" + MORE
)
YEAR = re.compile(r"\b(?:19|20)\d\d\b(?![,.]\d)")
NUMBER = re.compile(r"(?<![\w.,/^-])[−+±]?(?P<digits>\d[\d,]*(?:\.\d+)?)(?P<unit>\s?%)?(?![\w/]|-\w)")


def prose_of(path: Path) -> str:
    """Return the text of a page: a Markdown file, or Markdown cells, captions and sentences of a notebook."""
    if path.suffix == ".md":
        return path.read_text(encoding="utf-8")
    parts: list[str] = []
    for cell in jupytext.read(path).cells:
        parts += [cell.source] if cell.cell_type == "markdown" else _sentences(cell)
    return "\n\n".join(parts)


def _sentences(cell: Any) -> Iterator[str]:
    """Yield the caption of a code cell's figure, and its texts of at least five words that are no commands."""
    if caption := cell.metadata.get("mystnb", {}).get("figure", {}).get("caption"):
        yield caption
    for node in ast.walk(ast.parse(cell.source)):
        text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
        if len(text.split()) >= 5 and "semalign " not in text:
            yield text


def bare(text: str) -> str:
    """Return the prose of a Markdown text: without code, directives, formulas, roles and targets of links.

    >>> bare("Rank 16 of `x = 3`, see [here](a1.md) and $2^3$.")
    'Rank 16 of  , see [here  and  .'
    """
    for pattern in (FENCE, *NO_PROSE):
        text = pattern.sub(" ", text)
    return text


def numbers(text: str) -> Iterator[tuple[str, str]]:
    """Yield the numbers of a bare text as they are written, each with the words around it.

    Numbers that belong to a name (Table 5, Python 3.11) and years are left out.
    """
    masked = YEAR.sub(lambda found: "_" * len(found.group()), NAMED.sub(lambda found: "_" * len(found.group()), text))
    for found in NUMBER.finditer(masked):
        around = text[max(0, found.start() - 40) : found.end() + 40]
        yield found.group("digits").rstrip(",") + (found.group("unit") or "").strip(), " ".join(around.split())


def value(number: str) -> Decimal:
    """Return a number as written, a percentage as a share.

    >>> value("1,319"), value("3%")
    (Decimal('1319'), Decimal('0.03'))
    """
    digits = Decimal(number.rstrip("%").replace(",", ""))
    return digits / 100 if number.endswith("%") else digits


@cache
def known() -> frozenset[Decimal]:
    """Return the numbers that need no reason: those of the paper's tables, and those of settings and model sizes."""
    tables = [pd.read_csv(path, dtype=str) for path in sorted((data_dir() / "paper").glob("table*.csv"))]
    papers = {cell for frame in tables for column in frame for cell in frame[column].dropna()}
    profiles = [load_profile(name).model_dump(mode="json") for name in ("micro", "micro-tuned", "llama2")]
    defaults = [method.settings().model_dump(mode="json") for method in methods().values()]
    sizes = [load_config(folder).to_dict() for folder in sorted(models_dir().iterdir())]
    others = {str(leaf) for content in (*profiles, *defaults, *sizes) for leaf in leaves(content)}
    return frozenset(Decimal(text) for text in papers | others if re.fullmatch(r"\d+(\.\d+)?(e-?\d+)?", text))


def leaves(content: Any) -> Iterator[Any]:
    """Yield the values of nested mappings and lists that are no truth values."""
    if isinstance(content, dict | list):
        for part in content.values() if isinstance(content, dict) else content:
            yield from leaves(part)
    elif not isinstance(content, bool):
        yield content


def allowed() -> dict[str, list[str]]:
    """Return, for each page, the phrases whose numbers are definitions, from ``tests/book/prose_numbers.yaml``."""
    content = yaml.safe_load((Path(__file__).parents[1] / "book" / "prose_numbers.yaml").read_text(encoding="utf-8"))
    found: dict[str, list[str]] = {}
    for reason in content:
        for page, phrases in reason["pages"].items():
            found.setdefault(page, []).extend(phrases)
    return found


def unexplained(text: str, phrases: Iterable[str] = ()) -> list[str]:
    """Return the typed numbers of a Markdown text that are not known and not in one of the phrases, with their context.

    Args:
        text: the text.
        phrases: parts of the text, word for word.

    Raises:
        ValueError: for a phrase that is not in the text.
    """
    text = re.sub(r"\s+", " ", bare(text))
    for phrase in phrases:
        if phrase not in text:
            raise ValueError(f"the phrase {phrase!r} is not in the text: change it or take it out")
        text = text.replace(phrase, " ")
    return [f"{number} in “{around}”" for number, around in numbers(text) if value(number) not in known()]
