"""Output of notebooks other than figures: numbered MyST tables, text and HTML."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd


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


def table(frame: pd.DataFrame, caption: str, label: str, decimals: int = 2) -> Markdown:
    """Return a frame as a numbered table with rounded numbers; ``{numref}`label``` refers to it.

    Args:
        frame: content of the table; columns of numbers are aligned to the right.
        caption: caption above the table.
        label: label of the table in the book.
        decimals: number of decimals of floats; NaN is shown as a dash.
    """
    lines = [
        frame.columns,
        ["--:" if pd.api.types.is_numeric_dtype(dtype) else ":--" for dtype in frame.dtypes],
        *(frame.itertuples(index=False)),
    ]
    rows = "\n".join("| " + " | ".join(_cell(value, decimals) for value in line) + " |" for line in lines)
    return Markdown(f":::{{table}} {caption}\n:name: {label}\n\n{rows}\n:::\n")


def _cell(value: Any, decimals: int) -> str:
    if isinstance(value, float):
        return "–" if math.isnan(value) else f"{value:.{decimals}f}"
    return str(value).replace("|", "\\|")


def interval(value: float, low: float, high: float, *, signed: bool = False) -> str:
    """Return a number with its interval to one decimal; the interval is left out if its ends are NaN.

    >>> interval(1.25, 0.0, 2.5)
    '1.2 [0.0, 2.5]'
    """
    sign = "+" if signed else ""
    parts = [f"{0.0 if round(part, 1) == 0 else part:{sign}.1f}" for part in (value, low, high)]  # never -0.0
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
    """Return a sentence followed by a block of shell commands."""
    return Markdown(f"{text}\n\n```sh\n" + "\n".join(lines) + "\n```")


def nested_list(items: dict[str, Sequence[str]]) -> str:
    """Return a nested list in Markdown: bold headings with the texts below each."""
    return "\n".join(f"- **{head}**\n" + "\n".join(f"  - {text}" for text in texts) for head, texts in items.items())
