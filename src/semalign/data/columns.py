"""Whether rows have the columns that are read from them, with values of the right kind."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from semalign.data.row_files import Row, Rows

LONGEST = 1_000_000  # characters of a row: a tokenizer would take minutes over more, before it is known to be too long
KINDS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "any": ("a value", lambda value: True),
    "text": ("text", lambda value: isinstance(value, str)),
    "name": ("the name of a function", lambda value: isinstance(value, str) and value.isidentifier()),
    "whole": ("a whole number", lambda value: isinstance(value, int) and not isinstance(value, bool)),
    "texts": (
        "a list of texts",
        lambda value: isinstance(value, list) and bool(value) and all(isinstance(each, str) for each in value),
    ),
}


def check_columns(rows: Sequence[Row], columns: Mapping[str, str], reader: str = "") -> None:
    """Make sure that every row has a value of the right kind in each column.

    Args:
        rows: the rows; if they are :class:`~semalign.data.row_files.Rows`, a message names file and line.
        columns: what each column holds: ``any`` value of one type in all rows, ``text``, ``texts`` (a list of them),
            ``whole`` (a whole number), ``name`` (of a function), or a regular expression between slashes that is to be
            found in the text. A kind that ends in ``?`` is of a column that a row need not have. Null and NaN are no
            values.
        reader: what reads the columns, for the message.

    Raises:
        ValueError: for the first row that is not so, with its place and the column.
    """
    types: dict[str, tuple[type, str]] = {}
    for index, row in enumerate(rows):
        for column, kind in columns.items():
            value, wanted, optional = row.get(column), kind.removesuffix("?"), kind.endswith("?")
            if missing(value) and optional:
                continue
            problem = _problem(row, column, wanted)
            if not problem and wanted == "any":
                kept, where = types.setdefault(column, (_type(value), place(rows, index)))
                if _type(value) is not kept:
                    problem = f"column {column!r} is {_short(value)}, which is no {kept.__name__} as in {where}"
            if problem:
                raise ValueError(f"{place(rows, index)}: {problem}{reader and f' (read by {reader})'}")


def check_kind(column: str, kind: str) -> None:
    """Make sure that :func:`check_columns` knows a kind, given without a question mark.

    Raises:
        ValueError: if it does not, or for a regular expression that is none.
    """
    if kind in KINDS:
        return
    if len(kind) < 3 or not kind[0] == kind[-1] == "/":
        raise ValueError(f"metadata.columns.{column} must be one of {', '.join(KINDS)} or /a regular expression/")
    try:
        re.compile(kind[1:-1])
    except re.error as error:
        raise ValueError(f"metadata.columns.{column}: {kind} is no regular expression ({error})") from error


def check_text(place: str, text: str) -> None:
    """Make sure that a tokenizer can read a text.

    Raises:
        ValueError: if it has more than :data:`LONGEST` characters, or half of one.
    """
    if len(text) > LONGEST:
        raise ValueError(f"{place} has {len(text)} characters, more than any context holds: shorten or drop it")
    if half := re.search(r"[\ud800-\udfff]", text):
        raise ValueError(f"{place} has half of a character (\\u{ord(half[0]):04x})")


def place(rows: Iterable[Any], index: int) -> str:
    """Return where a row is from: file and line where they are known, else its number."""
    return rows.places[index] if isinstance(rows, Rows) else f"row {index + 1}"


def missing(value: Any) -> bool:
    """Return whether a value is null or NaN."""
    return value is None or value != value


def _problem(row: Row, column: str, kind: str) -> str:
    if column not in row:
        return f"no column {column!r}, only {', '.join(map(str, row))}"
    value = row[column]
    if missing(value):
        return f"column {column!r} has no value ({value})"
    if kind.startswith("/"):
        found = isinstance(value, str) and re.search(kind[1:-1], value)
        return "" if found else f"column {column!r} must be text with {kind}, it is {_short(value)}"
    name, fits = KINDS[kind]
    return "" if fits(value) else f"column {column!r} must be {name}, it is {_short(value)}"


def _type(value: Any) -> type:
    return float if type(value) is int else type(value)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"
