"""Output of notebooks other than figures: numbered MyST tables, text and HTML."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

SPACE = "\N{NO-BREAK SPACE}"
DIGITS = r"[+-]?\d[\d.,]*(e[+-]?\d+)?( ?%| M)?"
NOTE = rf"[ {SPACE}]([†‡]|\(one seed\))"
NUMBER = re.compile(rf"(\*\*)?{DIGITS}({SPACE}[→/]{SPACE}{DIGITS})?( \(-?[\d.]+%?\))?(\*\*)?({NOTE})?")
MISSING = ("", "–", "not run")


@dataclass(frozen=True)
class Html:
    """HTML that a notebook renders."""

    text: str

    def _repr_html_(self) -> str:
        return self.text


@dataclass(frozen=True)
class Markdown:
    """Markdown (MyST) that the book renders."""

    text: str

    def _repr_markdown_(self) -> str:
        return self.text


@dataclass(frozen=True)
class Interval:
    r"""A number with its 95% interval: in a table with half its width, in a table's data with both ends.

    Attributes:
        value: the number.
        low: lower end; NaN for a number without an interval.
        high: upper end.
        signed: whether the sign is always shown.
        decimals: number of decimals.
        bold: whether it is shown in bold.
        note: text after it.

    >>> str(Interval(1.25, 0.0, 2.5)).replace("\N{NO-BREAK SPACE}", " ")
    '1.2 ± 1.2'
    """

    value: float | int
    low: float | int = math.nan
    high: float | int = math.nan
    signed: bool = False
    decimals: int = 1
    bold: bool = False
    note: str = ""

    def columns(self, name: str) -> dict[str, float]:
        """Return what the data have in place of the column of this name: the number and both ends."""
        return {name: self.value, f"{name}, low": self.low, f"{name}, high": self.high}

    def __str__(self) -> str:
        text = f"{rounded(self.value, self.decimals):{'+' if self.signed else ''}.{self.decimals}f}"
        if not math.isnan(self.low):
            text += f"{SPACE}±{SPACE}{(self.high - self.low) / 2:.{self.decimals}f}"
        return f"**{text}**{self.note}" if self.bold else text + self.note


@dataclass(frozen=True)
class Cell:
    """A text in a table, with what the table's data have in its place.

    Attributes:
        text: what the table shows.
        data: numbers or plain texts by the names of their columns.
    """

    text: str
    data: Mapping[str, Any]

    def columns(self, name: str) -> Mapping[str, Any]:
        """Return what the data have in place of the column of this name."""
        return self.data

    def __str__(self) -> str:
        return self.text


def numbers(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the data of a table: the columns of its intervals and cells in place of those that are shown.

    In columns of numbers, what is missing is NaN.
    """
    columns: dict[Any, Any] = {}
    for name in frame:
        found = [cell.columns(name) if isinstance(cell, Interval | Cell) else {} for cell in frame[name]]
        if any(found):
            titles = dict.fromkeys(title for cell in found for title in cell)
            columns |= {title: [cell.get(title, math.nan) for cell in found] for title in titles}
        elif _of_numbers(frame[name]):
            columns[name] = [math.nan if str(cell) in MISSING else cell for cell in frame[name]]
        else:
            columns[name] = frame[name]
    return pd.DataFrame(columns)


def table(frame: pd.DataFrame, caption: str, label: str, decimals: int = 2) -> Markdown:
    """Return a frame as a numbered table with rounded numbers; ``{numref}`label``` refers to it.

    Args:
        frame: content of the table; columns of numbers, also as text, are aligned to the right.
        caption: caption above the table.
        label: label of the table in the book.
        decimals: number of decimals of floats; NaN is shown as a dash.
    """
    lines = [
        frame.columns,
        ["--:" if _of_numbers(frame.iloc[:, i]) else ":--" for i in range(frame.shape[1])],
        *(frame.itertuples(index=False)),
    ]
    rows = "\n".join("| " + " | ".join(_cell(value, decimals) for value in line) + " |" for line in lines)
    return Markdown(f":::{{table}} {caption}\n:name: {label}\n\n{rows}\n:::\n")


def folded(shown: Markdown, title: str) -> Markdown:
    """Return Markdown that is shown when the reader opens its title."""
    return Markdown(f"::::{{dropdown}} {title}\n{shown.text}::::\n")


def _of_numbers(column: pd.Series) -> bool:
    """Return whether a column holds numbers, as such or as text; some may be missing."""
    if pd.api.types.is_numeric_dtype(column.dtype):
        return True
    found = [isinstance(cell, float | int | Interval) or bool(NUMBER.fullmatch(str(cell))) for cell in column]
    return any(found) and all(number or str(cell) in MISSING for number, cell in zip(found, column, strict=True))


def _cell(value: Any, decimals: int) -> str:
    if isinstance(value, float):
        return "–" if math.isnan(value) else f"{rounded(value, decimals):.{decimals}f}"
    return str(value).replace("|", "\\|")


def rounded(value: float | int, decimals: int) -> float:
    """Return a rounded number, whose zero has no sign.

    >>> rounded(-0.004, 2)
    0.0
    """
    return float(round(value, decimals)) + 0.0


def interval(value: float, low: float, high: float, *, signed: bool = False) -> str:
    """Return a number with both ends of its interval, for sentences; the interval is left out if its ends are NaN.

    >>> interval(1.25, 0.0, 2.5)
    '1.2 [0.0, 2.5]'
    """
    parts = [str(Interval(part, signed=signed)) for part in (value, low, high)]
    return parts[0] if math.isnan(low) else f"{parts[0]} [{parts[1]}, {parts[2]}]"


def settings_text(settings: dict[str, Any]) -> str:
    """Return settings as a short text.

    >>> settings_text({"learning_rate": 3e-4, "output_loss": "kl"})
    'learning_rate 0.0003, output_loss kl'
    """
    return ", ".join(
        f"{key} {value:g}" if isinstance(value, float) else f"{key} {value}" for key, value in settings.items()
    )


def commands(text: str, *lines: str) -> Markdown:
    """Return a sentence, a block of shell commands, and where their settings are explained, if they have any."""
    code = "\n".join(lines)
    after = "\n\nEach `-s` sets one of the [settings](#table-of-settings).\n" if " -s " in code else ""
    return Markdown(f"{text}\n\n```sh\n{code}\n```{after}")


def nested_list(items: dict[str, Sequence[str]]) -> str:
    """Return a nested list in Markdown: bold headings with the texts below each."""
    return "\n".join(f"- **{head}**\n" + "\n".join(f"  - {text}" for text in texts) for head, texts in items.items())
