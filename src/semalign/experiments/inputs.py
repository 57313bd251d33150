"""The models and rows of a profile: each model by name once, and the rows to train on and to measure on.

A model's libraries are loaded only if its identity is not remembered, or if it renders conversations.
"""

from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from semalign.data import tasks
from semalign.data import training_rows as training
from semalign.data.task_file import task_file
from semalign.experiments.profile_parts import TaskProfile
from semalign.experiments.profiles import Profile
from semalign.files import json_fingerprint
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
    for kept in (_source, _rows, _held_out):
        kept.cache_clear()


def fingerprint_of(name: str) -> str:
    """Return the identity of a model by name, which records have as its fingerprint."""
    known = remembered.recalled(name)
    return source_once(name).facts.identity if known is None else known.identity


def training_rows(profile: Profile, task: str) -> list[dict[str, str]]:
    """Return the training rows of a profile's task, in the chat format in which it is evaluated.

    They are kept for the next cells, so a file of theirs that changes later is not seen by this process.
    """
    sizes = profile.tasks[task]
    return list(_rows(task, sizes.train_size, sizes.training_data, _format(profile, task)))


class _Format(NamedTuple):
    """The chat format of rows and the model whose own it is; what they are read from only tells apart what is kept."""

    chat: str | None
    reader: str | None
    read_from: tuple[str | Path, ...]

    @property
    def options(self) -> dict[str, Any]:
        """The arguments of what reads rows."""
        return {"chat": self.chat, "tokenizer": source_once(self.reader).outline.tokenizer if self.reader else None}


def _format(profile: Profile, task: str) -> _Format:
    chat = profile.evaluation.chat
    reader = profile.student if tasks.chat_name(task, chat) == "model" else None
    return _Format(chat, reader, (task_file(task).fingerprint, *data_roots()))


@lru_cache(16)
def _rows(task: str, size: int | None, data: str | None, given: _Format) -> list[dict[str, str]]:
    found = training.rows(task, size, data, **given.options)
    if size is not None and len(found) < size:
        raise ValueError(f"{task} has {len(found)} training rows, fewer than its train_size of {size}")
    return found


def held_out_rows(profile: Profile, task: str) -> tuple[list[dict[str, str]], str]:
    """Return the rows that each training of a task is measured on, at most ``profile.held_out``, and their split.

    They are the first of the validation split. Where a task has none, or trains on it, they are what follows the rows
    that it trains on. No row that is trained on is among them, and none of the test split.
    """
    found = _held_out_of(profile, task)
    return list(found.rows), found.split


def held_out_hash(profile: Profile, task: str) -> str:
    """Return the hash of the rows that :func:`held_out_rows` returns."""
    return _held_out_of(profile, task).hashed


class _HeldOut(NamedTuple):
    rows: list[dict[str, str]]
    split: str
    hashed: str


def _held_out_of(profile: Profile, task: str) -> _HeldOut:
    return _held_out(task, profile.tasks[task], profile.held_out, _format(profile, task))


@lru_cache(16)
def _held_out(task: str, sizes: TaskProfile, most: int, given: _Format) -> _HeldOut:
    """Return the held-out rows of a task, the split that they are of, and their hash."""
    if has_validation(task):
        found, split = tasks.rows(task, "validation", **given.options), "validation"
    else:
        found, split = _rows(task, None, sizes.training_data, given), "train"
    trained = {tuple(row.values()) for row in _rows(task, sizes.train_size, sizes.training_data, given)}
    rows = [row for row in found if tuple(row.values()) not in trained][:most]
    return _HeldOut(rows, split, json_fingerprint(rows))


def has_validation(task: str) -> bool:
    """Return whether a task has a validation split that it does not train on."""
    file = task_file(task)
    split = file.data.splits.get("validation")
    return split is not None and split not in file.metadata.get("training", {}).get("splits", ())


def check_data(profile: Profile, task: str, split: str | None, trained: bool = True) -> None:
    """Make sure that the items of a split, and the rows to train and measure on if anything is trained, fit the task.

    Args:
        profile: the profile.
        task: one of its tasks.
        split: the split that is scored; None: nothing is scored, and there must be rows to measure on.
        trained: whether anything is trained.

    Raises:
        FileNotFoundError: if they are not there.
        ValueError: for the first row that does not fit (see :func:`semalign.data.tasks.documents`), fewer training rows
            than the profile asks for, or no rows to measure on.
    """
    if split is not None:
        tasks.documents(task, split)
    if trained:
        found, _ = held_out_rows(profile, task)
        if split is None and not found:
            raise ValueError(f"{task} trains on all its rows, so that none is left to measure: lower its train_size")
