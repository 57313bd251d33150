"""What the cells of a profile are made from: models, training rows and settings.

A model's libraries are loaded only if its identity is not remembered, or if it renders conversations.
"""

from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semalign.data import tasks
from semalign.data import training_rows as training
from semalign.data.task_file import task_file
from semalign.experiments.cells import Cell
from semalign.experiments.profiles import Profile
from semalign.experiments.staleness import resolved
from semalign.models import remembered
from semalign.paths import data_roots

if TYPE_CHECKING:
    from semalign.models.source import FiledModel


def source_once(name: str) -> "FiledModel":
    """Return a model by name, kept with its identity for the next cells; its weights are read when one needs them.

    A model that is loaded in another type or on another device is another one.
    """
    from semalign.models.devices import chosen_place

    return _source(name, repr(chosen_place()))


@cache
def _source(name: str, place: str) -> "FiledModel":
    from semalign.models.source import FiledModel

    return FiledModel(name)


def forget_sources() -> None:
    """Let the models and the training rows go that are kept."""
    _source.cache_clear()
    _rows.cache_clear()


def fingerprint_of(name: str) -> str:
    """Return the identity of a model by name, which records have as its fingerprint."""
    known = remembered.recalled(name)
    return source_once(name).facts.identity if known is None else known.identity


def training_rows(profile: Profile, task: str) -> list[dict[str, str]]:
    """Return the training rows of a profile's task, in the chat format in which it is evaluated.

    They are kept for the next cells, so a file of theirs that changes later is not seen by this process.
    """
    return _rows_to_train(profile, task, profile.tasks[task].train_size)


def _rows_to_train(profile: Profile, task: str, size: int | None) -> list[dict[str, str]]:
    chat, data = _chat(profile, task), profile.tasks[task].training_data
    reader = profile.student if chat["tokenizer"] else None
    where = task_file(task).fingerprint, *data_roots()
    return list(_rows(task, size, data, chat["chat"], reader, where))


@lru_cache(16)
def _rows(
    task: str, size: int | None, data: str | None, chat: str | None, reader: str | None, where: tuple[str | Path, ...]
) -> list[dict[str, str]]:
    """Return rows to train on; what they are read from (``where``) only tells apart what is kept."""
    tokenizer = source_once(reader).outline.tokenizer if reader else None
    return training.rows(task, size, data, chat=chat, tokenizer=tokenizer)


def _chat(profile: Profile, task: str) -> dict[str, Any]:
    """Return the chat format of a task, and the tokenizer if the format is the student's."""
    chat = profile.evaluation.chat
    tokenizer = source_once(profile.student).outline.tokenizer if tasks.chat_name(task, chat) == "model" else None
    return {"chat": chat, "tokenizer": tokenizer}


def held_out_rows(profile: Profile, task: str) -> tuple[list[dict[str, str]], str]:
    """Return the rows that each training of a task is measured on, at most ``profile.held_out``, and their split.

    They are the first of the validation split. Where a task has none, or trains on it, they are what follows the rows
    that it trains on. No row that is trained on is among them, and none of the test split.
    """
    file = task_file(task)
    split = file.data.splits.get("validation")
    if split is not None and split not in file.metadata.get("training", {}).get("splits", ()):
        found, place = tasks.rows(task, "validation", **_chat(profile, task)), "validation"
    else:
        found, place = _rows_to_train(profile, task, None), "train"
    trained = {tuple(row.values()) for row in training_rows(profile, task)}
    return [row for row in found if tuple(row.values()) not in trained][: profile.held_out], place


def check_data(profile: Profile, task: str, split: str, trained: bool = True) -> None:
    """Make sure that the items of a split, and the rows to train and measure on if anything is trained, fit the task.

    Raises:
        FileNotFoundError: if they are not there.
        ValueError: for the first row that does not fit; see :func:`semalign.data.tasks.documents`.
    """
    tasks.documents(task, split)
    if trained:
        held_out_rows(profile, task)


def fingerprints(cell: Cell, data: Callable[[str], str], scored: bool = True) -> dict[str, str]:
    """Return the fingerprints that a record of a cell must have.

    Args:
        cell: the cell.
        data: gives the hash of a task's training rows.
        scored: whether the cell is scored on the test split.
    """
    found = {"student": fingerprint_of(cell.student)}
    if scored:
        found["test"] = tasks.split_fingerprint(cell.task, "test")
    if cell.teacher is not None:
        found |= {"teacher": fingerprint_of(cell.teacher), "data": data(cell.task)}
    return found


def configuration(profile: Profile, cell: Cell, record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that a record of a cell must have, of those that can make it stale.

    The sandbox that programs ran in is not among them, nor is the batch size of the evaluation.
    """
    source = task_file(cell.task)
    evaluation = {
        **({"split": "test", "limit": profile.evaluation.limit} if profile.scored else {"held_out": profile.held_out}),
        "chat": tasks.chat_name(cell.task, profile.evaluation.chat),
        "task_version": source.version,
        **({} if source.bundled else {"task_file": source.fingerprint}),
    }
    if cell.teacher is None:
        return evaluation
    method = profile.method_of(cell.method)
    given = {**profile.settings_for(cell.task, cell.method), "seed": cell.seed}
    return {**evaluation, **resolved(method, given, record), "method": method.name}
