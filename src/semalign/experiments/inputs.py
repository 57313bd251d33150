"""What the cells of a profile are made from: models, training rows, settings; and what of a record still fits them."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from semalign.data import tasks
from semalign.data import training_rows as training
from semalign.data.task_file import task_file
from semalign.evaluation.record import split_fingerprint
from semalign.experiments.cells import Cell
from semalign.experiments.profiles import Profile
from semalign.experiments.staleness import changes, resolved
from semalign.files import model_fingerprint
from semalign.models.loading import LanguageModel, load_model


@lru_cache(maxsize=4)
def loaded_once(name: str) -> LanguageModel:
    """Return a model by name, kept for the next cells."""
    return load_model(name)


@lru_cache
def fingerprint_of(name: str) -> str:
    """Return the fingerprint of a model by name."""
    return model_fingerprint(loaded_once(name).model)


def training_rows(profile: Profile, task: str) -> list[dict[str, str]]:
    """Return the training rows of a profile's task, in the chat format in which it is evaluated."""
    settings, chat = profile.tasks[task], profile.evaluation.chat
    tokenizer = loaded_once(profile.student).tokenizer if tasks.chat_name(task, chat) == "model" else None
    return training.rows(task, settings.train_size, settings.training_data, chat=chat, tokenizer=tokenizer)


def differences(profile: Profile, cell: Cell, record: dict[str, Any], data: Callable[[str], str]) -> list[str]:
    """Return the names of the inputs in which a record differs from what its cell would be made from now.

    The sandbox that programs ran in is no input, nor is the batch size of the evaluation.

    Args:
        profile: the profile.
        cell: the record's cell.
        record: a run record.
        data: gives the hash of a task's training rows.
    """
    return changes(record, _fingerprints(profile, cell, data), _settings(profile, cell, record))


def _fingerprints(profile: Profile, cell: Cell, data: Callable[[str], str]) -> dict[str, str]:
    """Return the hashes that a record of a cell must have."""
    of_test = {"student": fingerprint_of(cell.student), "test": split_fingerprint(cell.task, "test")}
    if cell.teacher is None:
        return of_test
    return {**of_test, "teacher": fingerprint_of(cell.teacher), "data": data(cell.task)}


def _settings(profile: Profile, cell: Cell, record: dict[str, Any]) -> dict[str, Any]:
    """Return the settings that a record of a cell must have."""
    source = task_file(cell.task)
    evaluation = {
        "split": "test",
        "limit": profile.evaluation.limit,
        "chat": tasks.chat_name(cell.task, profile.evaluation.chat),
        "task_version": source.version,
        **({} if source.bundled else {"task_file": source.fingerprint}),
    }
    if cell.teacher is None:
        return evaluation
    method = profile.method_of(cell.method)
    given = {**profile.settings_for(cell.task, cell.method), "seed": cell.seed}
    return {**evaluation, **resolved(method, given, record), "method": method.name}
