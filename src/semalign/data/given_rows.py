"""Rows as a user gives them: whether they are rows at all, and what is wrong with one of them."""

from collections.abc import Iterable, Mapping, Sized
from pathlib import Path
from typing import Any

from semalign.data.columns import check_text, missing
from semalign.data.messages import check_messages, check_tools, plain
from semalign.errors import folded

# Tables have one of these methods each: pandas, polars, pyarrow. A Dataset has none of them, and is read as it is.
WAYS = {"iterrows": '.to_dict("records")', "to_dicts": ".to_dicts()", "to_pylist": ".to_pylist()"}


def not_rows(data: Any) -> str:
    """Return what data are that are no rows, and how to get rows from them; an empty text if they may be rows."""
    kind = type(data).__name__
    if isinstance(data, str | Path):
        return ""
    if isinstance(data, Mapping):
        return _mapping(data, kind)
    if ways := [way for method, way in WAYS.items() if hasattr(data, method)]:
        return f"a {kind}: give data{ways[0]}"
    return "" if isinstance(data, Iterable) else kind


def _mapping(data: Mapping[Any, Any], kind: str) -> str:
    """Return which of the mappings that users take for rows this is: a row, columns, or splits."""
    keys = folded(", ".join(map(repr, data)), 80)
    value = next((plain(data[key]) for key in ("prompt", "response", "messages") if key in data), None)
    if isinstance(value, list) and not (value and isinstance(value[0], Mapping)):
        return f"columns (a {kind} of {keys}): give datasets.Dataset.from_dict(data)"
    if value is not None:
        return f"one row (a {kind} of {keys}): put it in a list"
    return f"a {kind} of {keys}: give one of them, such as data[{next(iter(data))!r}]" if data else f"an empty {kind}"


def checked_row(place: str, row: Any) -> dict[str, Any]:
    """Return what is read of a row: ``prompt`` and ``response``, or ``messages`` and, if it has them, ``tools``.

    A key with null is one that the row does not have. Other keys are not read.

    Args:
        place: where the row is from, for messages.
        row: the row.

    Raises:
        ValueError: for a row with neither form or with both, an empty response, messages that
            :func:`semalign.data.messages.check_messages` refuses, or a text that no tokenizer can read.
    """
    prompt, response = (row.get(key) for key in ("prompt", "response")) if isinstance(row, Mapping) else (None, None)
    talks = isinstance(row, Mapping) and row.get("messages") is not None
    if isinstance(prompt, str) and isinstance(response, str):
        if talks and not _empty(row["messages"]):
            raise ValueError(f"{place} has a 'prompt', a 'response' and 'messages': leave out the form not meant")
        return _two_texts(place, prompt, response)
    if not talks:
        raise ValueError(
            f"{place} must have a 'prompt' and a 'response', both text, or 'messages'; it is {folded(row, 140)}"
        )
    try:
        return _conversation(place, plain(row["messages"]), plain(row.get("tools")))
    except RecursionError as error:
        raise ValueError(f"{place}: its 'messages' or 'tools' are nested too deeply") from error


def _empty(messages: Any) -> bool:
    """Return whether messages are those of a row without any, as tables of rows of both forms have them."""
    return not len(messages) if isinstance(messages, Sized) else missing(messages)


def _two_texts(place: str, prompt: str, response: str) -> dict[str, Any]:
    if not response:
        raise ValueError(f"{place} has an empty response: there is nothing to learn from it")
    check_text(place, prompt + response)
    return {"prompt": prompt, "response": response}


def _conversation(place: str, messages: Any, tools: Any) -> dict[str, Any]:
    if problem := check_messages(messages) or check_tools(tools):
        raise ValueError(f"{place}: {problem}")
    check_text(place, "".join(turn.get("content", "") for turn in messages))
    return {"messages": messages, **({"tools": tools} if tools else {})}
