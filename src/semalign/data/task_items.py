"""Every row of a task's data, checked against the task before a model is loaded.

A row must have the columns that the task reads, a prompt that can be made from it, and a right answer; of a task with
choices, an answer among them.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from semalign.data.columns import check_columns, place
from semalign.data.row_files import Row, Rows
from semalign.data.task_answers import check_answer, right_choices
from semalign.data.task_documents import Documents
from semalign.data.task_templates import (
    Field,
    choices_field,
    elements,
    is_template,
    target_field,
    text_field,
    variables,
)

FIELDS = ("description", "doc_to_text", "gen_prefix", "doc_to_target", "doc_to_choice")
CONSTANTS = ("description", "gen_prefix")  # without jinja's marks they are texts, and no columns


class Fields(NamedTuple):
    """What a task makes of a row.

    Attributes:
        description: the beginning of its prompt.
        text: its question, behind the description.
        prefix: the beginning of its answer, which ends the prompt.
        target: its right answer.
        choices: its answers to choose from; None for a task without.
    """

    description: Field
    text: Field
    prefix: Field
    target: Field
    choices: Field | None

    def question(self, row: Row) -> str:
        """Return the prompt of a row without the beginning of the answer."""
        return f"{self.description(row)}{self.text(row)}"

    @classmethod
    def of(cls, configuration: Mapping[str, Any]) -> "Fields":
        """Return the fields of lm-eval's configuration of a task."""
        description, text, prefix, target, choices = (configuration.get(field) for field in FIELDS)
        given = choices is not None
        texts = text_field(description), text_field(text), text_field(prefix)
        return cls(*texts, target_field(target, given), choices_field(choices) if given else None)


def columns_of(configuration: Mapping[str, Any]) -> dict[str, str]:
    """Return the columns that a task reads, and what each must hold, as far as its file says.

    They are the columns and variables of its templates, the column of groups, those that its functions name in an
    attribute ``columns``, and ``metadata.columns``; see :func:`semalign.data.columns.check_columns` for the kinds.
    """
    metadata = configuration["metadata"]
    found = {column: "any" for field in FIELDS for column in _read_by(field, configuration.get(field))}
    if group := metadata.get("group_by"):
        found[group] = "any"
    for function in _functions(configuration):
        found |= getattr(function, "columns", {})
    return found | metadata.get("columns", {})


def _read_by(field: str, value: Any) -> set[str]:
    if not isinstance(value, str) or not value:
        return set()
    if is_template(value):
        return variables(value)
    constant = field in CONSTANTS or value.isdigit() or (field == "doc_to_choice" and value[0] in "[(")
    return set() if constant else {value}


def _functions(value: Any) -> Iterator[Callable[..., Any]]:
    if callable(value):
        yield value
    elif isinstance(value, Mapping | list):
        for part in value.values() if isinstance(value, Mapping) else value:
            yield from _functions(part)


def check_items(rows: Rows, configuration: Mapping[str, Any]) -> None:
    """Make sure that a task can be asked and scored on every row.

    Args:
        rows: of one split, as :func:`semalign.data.task_documents.processed` gives them.
        configuration: lm-eval's, with the functions imported.

    Raises:
        ValueError: for the first row that is not so, with file, row and column or field.
    """
    check_columns(rows, columns_of(configuration), f"the task {configuration['task']}")
    fields, letters, lists = Fields.of(configuration), _lettered(configuration), set[bool]()
    for index, row in enumerate(Documents(rows)):
        try:
            _check_item(row, fields, lists)
            for column, count in letters.items():
                if len(row[column]) != count:
                    raise ValueError(f"column {column!r} has {len(row[column])} choices, the task asks for {count}")
        except Exception as error:  # templates and functions of the user's own may raise anything
            text = " ".join(str(error).split())
            kind = "" if type(error) is ValueError else f"{type(error).__name__}: "
            raise ValueError(f"{place(rows, index)}: {kind}{text}") from error


def _check_item(row: Row, fields: Fields, lists: set[bool]) -> None:
    """Check one row; ``lists`` has whether the answers of the rows before it are lists, and of this one afterwards."""
    for name, field in zip(FIELDS[:3], fields[:3], strict=True):
        if not isinstance(text := field(row), str):
            raise ValueError(f"{name} must give text, it gives {text!r}")
    target = fields.target(row)
    if fields.choices is not None:
        right_choices(target, fields.choices(row))
        return
    check_answer(target)
    lists.add(isinstance(target, list))
    if len(lists) > 1:
        raise ValueError(f"the right answer is {target!r}: give a list of answers in every row, or in none")


def _lettered(configuration: Mapping[str, Any]) -> dict[str, int]:
    """Return the columns whose elements a prompt lists, one for each of the task's constant choices (A, B, C, D).

    A longer list would lose its last elements.
    """
    choices, text = configuration.get("doc_to_choice"), configuration.get("doc_to_text")
    if not isinstance(choices, list) or not isinstance(text, str):
        return {}
    return {column: len(choices) for column, index in elements(text) if index == len(choices) - 1}
