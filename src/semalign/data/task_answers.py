"""The right answers of a task's items: what they may be, and the form in which lm-eval scores them all alike."""

from collections.abc import Iterable
from typing import Any

from semalign.data.columns import missing
from semalign.data.row_files import Row
from semalign.data.task_templates import Field


def check_answer(target: Any) -> None:
    """Make sure that the right answer of an item without choices is text or a number, or a list of these.

    Raises:
        ValueError: if it is not, or is empty.
    """
    answers = target if isinstance(target, list) else [target]
    if any(isinstance(each, bool) or not isinstance(each, str | int | float) or missing(each) for each in answers):
        raise ValueError(f"the right answer must be text, it is {target!r}")
    if all(each == "" for each in answers):
        raise ValueError("the right answer is empty")


def right_choices(target: Any, choices: Any) -> list[int]:
    """Return the places of the choices that are right: one, or several where the target is a list.

    Args:
        target: the place of a choice, from 0, or its text, or a list of these.
        choices: two texts or more.

    Raises:
        ValueError: if the target is none of them.
    """
    if not isinstance(choices, list) or len(choices) < 2 or not all(isinstance(each, str) and each for each in choices):
        raise ValueError(f"the choices must be a list of two texts or more, they are {choices!r}")
    targets = target if isinstance(target, list) else [target]
    if not targets:
        raise ValueError("no answer is right")
    return [_place_of(each, choices) for each in targets]


def _place_of(target: Any, choices: list[str]) -> int:
    if isinstance(target, str) and target in choices:
        return choices.index(target)
    if isinstance(target, int) and not isinstance(target, bool) and 0 <= target < len(choices):
        return target
    known = ", ".join(choices) if sum(map(len, choices)) < 60 else f"{len(choices)} choices"
    raise ValueError(f"the answer {target!r} is none of {known} and no number from 0 to {len(choices) - 1}")


def scored_answers(target: Field, choices: Field | None, asks_for_text: bool, items: Iterable[Row]) -> Field:
    """Return the right answers as a function of a row, in one form for all items.

    lm-eval learns from the first item whether the items have several right answers, and scores the others as if they
    were like it. It scores choices by their places, from 0, and text only against text.

    Args:
        target: the right answer of a row, as the task file says it.
        choices: the answers to choose from; None for a task without.
        asks_for_text: whether the model writes its answer, and the choices only say what is right.
        items: all items that are scored.

    Returns:
        a function that gives a list for every item if one has several right answers, else the one answer; of choices
        their places, or their texts where the model writes.
    """
    if choices is None:
        return lambda row: list(map(str, found)) if isinstance(found := target(row), list) else found

    def right(row: Row) -> list[Any]:
        texts = choices(row)
        places = right_choices(target(row), texts)
        return [texts[place] for place in places] if asks_for_text else places

    several = any(len(right(row)) > 1 for row in items)
    return lambda row: right(row) if several else right(row)[0]
