"""The templates of a task file, rendered in jinja's sandbox: prompt, right answer and choices of an item.

lm-eval would render them in an environment without a sandbox. They are rendered here instead, and lm-eval is given
functions. What a template prints must be a value: an undefined variable, null and NaN are errors.
"""

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from jinja2 import StrictUndefined, TemplateError, meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from semalign.data.columns import missing
from semalign.data.row_files import Row
from semalign.data.time_limit import time_limit

Field = Callable[[Row], Any]


def _printable(value: Any) -> Any:
    if missing(value):
        raise ValueError(f"it prints a value that is missing ({value})")
    return value


@cache
def environment() -> ImmutableSandboxedEnvironment:
    """Return the sandbox, with the filter that lm-eval adds to jinja's."""
    from lm_eval.utils import regex_replace

    made = ImmutableSandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True, finalize=_printable)
    made.filters["regex_replace"] = regex_replace
    return made


def is_template(text: str) -> bool:
    """Return whether a text has jinja's marks; without them it is the name of a column, or a constant."""
    return any(mark in text for mark in ("{{", "{%", "{#"))


def check_template(text: str) -> None:
    """Make sure that jinja can read a template.

    Raises:
        ValueError: if it cannot; in one line.
    """
    try:
        environment().from_string(text)
    except TemplateError as error:
        raise ValueError(f"its template is not jinja: {' '.join(str(error).split())}") from error


def variables(text: str) -> set[str]:
    """Return the columns that a template reads whatever a row holds: those outside of conditions and defaults."""
    parsed = environment().parse(text)
    return meta.find_undeclared_variables(parsed).intersection(_always(parsed)) - environment().globals.keys()


def elements(text: str) -> set[tuple[str, Any]]:
    """Return the elements that a template reads by a constant index, as pairs of a column and the index."""
    found = environment().parse(text).find_all(nodes.Getitem)
    return {
        (node.node.name, node.arg.value)
        for node in found
        if isinstance(node.node, nodes.Name) and isinstance(node.arg, nodes.Const)
    }


def _always(node: nodes.Node) -> Iterator[str]:
    default = isinstance(node, nodes.Filter) and node.name in ("default", "d")
    if default or isinstance(node, nodes.If | nodes.CondExpr | nodes.Test):
        return
    if isinstance(node, nodes.Name):
        yield node.name
    for child in node.iter_child_nodes():
        yield from _always(child)


def text_field(value: str | Field | None) -> Field:
    """Return a field that gives text as a function of a row: it is a function, a template, a column, or constant."""
    if callable(value):
        return value
    text = value or ""
    if not is_template(text):
        return lambda row: row.get(text, text)
    template = environment().from_string(text)

    def render(row: Row) -> str:
        with time_limit("a template"):
            return template.render(row)

    return render


def target_field(value: Any, among_choices: bool) -> Field:
    """Return the right answer as a function of a row, as lm-eval reads it.

    Args:
        value: of ``doc_to_target``.
        among_choices: whether it is one of the task's choices. A template that prints a number is then the place of the
            choice. A template that prints a list that is not a text of the row gives all answers that are right.

    The field raises ``ValueError`` for an answer without choices that is one text in the row, and looks like a list.
    """
    if not isinstance(value, str):
        return value if callable(value) else lambda row: value
    render = text_field(value)
    if not is_template(value):
        return (lambda row: _literal(value, among_choices)) if value.isdigit() else render
    columns = meta.find_undeclared_variables(environment().parse(value))

    def target(row: Row) -> Any:
        text = render(row)
        found = _literal(text, among_choices)
        if found is not text and not among_choices and any(text in each for each in _texts(map(row.get, columns))):
            raise ValueError(
                f"the right answer is the text {text!r}, which lm-eval would read as a list of answers: name its "
                "column in doc_to_target, without a template; for a list of answers make the column a list, which CSV "
                "cannot hold, or give it by a !function"
            )
        return found

    return target


def _texts(value: Any) -> Iterator[str]:
    """Yield all texts in a value, at any depth."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Iterable):
        for part in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(part)


def _literal(text: str, among_choices: bool) -> Any:
    if text.isdigit() and among_choices:
        return int(text)
    if len(text) >= 2 and text[0] == "[" and text[-1] == "]":
        try:
            return ast.literal_eval(text)
        except (SyntaxError, ValueError, TypeError):  # such as [{[]: 1}]
            return text
    return text


def choices_field(value: Any) -> Field:
    """Return the choices as a function of a row: they are constant, a column, a function, or a template of a list."""
    if isinstance(value, list | dict):
        constant = list(value.values()) if isinstance(value, dict) else value
        return lambda row: constant
    if callable(value):
        return value
    render = text_field(value)
    return (lambda row: ast.literal_eval(render(row))) if is_template(value) or value[:1] in ("[", "(") else render
