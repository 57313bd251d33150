"""What a task's own functions make of an item's answers, checked item by item: they may raise or return anything."""

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from typing import Any

from lm_eval.api.task import ConfigurableTask

from semalign.data.task_check import Primary
from semalign.errors import folded, one_line
from semalign.own_modules import imported, raised_at
from semalign.sandbox.errors import SandboxError

PASSED_ON = (OSError, MemoryError, SandboxError)  # of the machine, not of a task
ROUNDING = 1e-9


@contextmanager
def checked(task: ConfigurableTask) -> Iterator[None]:
    """Let each error in the extractions and scores of a task name the task and the item, while the block runs.

    Raises:
        ValueError: by lm-eval's calls in the block, if a function of the task raises, an extraction gives no answer
            for an item or one that JSON cannot hold, or a score is none: every score of an item must be a finite
            number, and the one that counts a share from 0 to 1.
    """
    score, extract, calls = task.process_results, task.apply_filters, count()

    def scored(document: Mapping[str, Any], answers: list[Any]) -> Mapping[str, Any]:
        item = next(calls) % len(task.eval_docs)  # lm-eval scores all items by one extraction after the other
        said = f"task {task.config.task}, item {item}"
        with _told(f"{said}: its scores cannot be computed"):
            found = score(document, answers)
        _check(said, found, Primary.of(task.config.metadata).metric)
        return found

    def extracted() -> Any:
        with _told(f"task {task.config.task}: its extractions cannot be made"):
            found = extract()
        _keep_as_json(task)
        return found

    task.process_results, task.apply_filters = scored, extracted
    try:
        yield
    finally:
        del task.process_results, task.apply_filters


@contextmanager
def _told(said: str) -> Iterator[None]:
    try:
        yield
    except PASSED_ON:
        raise
    except Exception as error:
        place = raised_at(error, imported())
        where = f" at {place.file}:{place.line}" if place else ""
        name = type(error).__name__
        raise ValueError(f"{said}: {name}{where}: {one_line(error).removeprefix(f'{name}: ')}") from error


def _check(said: str, found: Any, primary: str) -> None:
    if not isinstance(found, Mapping) or primary not in found:
        raise ValueError(f"{said}: its scores must be a dict with {primary!r}; they are {folded(repr(found), 60)}")
    for metric, value in found.items():
        number = _number(value)
        if not math.isfinite(number):
            raise ValueError(f"{said}: {metric} must be one finite number, it is {folded(repr(value), 60)}")
        if metric == primary and not -ROUNDING <= number <= 1 + ROUNDING:
            raise ValueError(f"{said}: {metric} must be a share from 0 to 1, it is {number:g}")


def _number(value: Any) -> float:
    """Return a score as a number, NaN for what is none."""
    try:
        return math.nan if isinstance(value, str | bytes) else float(value)
    except (TypeError, ValueError):
        return math.nan


def _keep_as_json(task: ConfigurableTask) -> None:
    """Let each extracted answer be as it will be read from a file of samples, so that numbers of NumPy are numbers."""
    for extraction in task._filters:
        for each in task.instances:
            said = f"task {task.config.task}: the extraction {extraction.name!r} gives"
            if extraction.name not in each.filtered_resps:
                raise ValueError(
                    f"{said} no answer for item {each.doc_id}: it must return one list of answers for each item"
                )
            found = each.filtered_resps[extraction.name]
            try:
                text = json.dumps(found, default=_plain, ensure_ascii=False).encode()
            except (TypeError, ValueError) as error:
                raise ValueError(
                    f"{said} {folded(repr(found), 60)} for item {each.doc_id}: return text, numbers, lists or dicts, "
                    f"which a file of samples can hold ({one_line(error)})"
                ) from error
            each.filtered_resps[extraction.name] = json.loads(text)


def _plain(value: Any) -> Any:
    """Return an array or a number of NumPy or torch as Python's own."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"JSON has no {type(value).__name__}")
