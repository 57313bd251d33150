"""What the record of a cell must be made from: hashes of models and data, and the settings that can make it stale."""

from collections.abc import Callable, Mapping
from typing import Any

from semalign.data import tasks
from semalign.data.task_file import task_file
from semalign.experiments.cells import Cell
from semalign.experiments.inputs import fingerprint_of, held_out_hash
from semalign.experiments.profiles import Profile
from semalign.experiments.staleness import resolved

HELD_OUT = "held_out_hash"
"""The hash of the rows that a training was measured on, in the configuration of its record."""


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

    The sandbox that programs ran in is not among them, nor is the batch size of the evaluation. Only a record that
    knows the hash of its held-out rows must have the one of the rows that are here.
    """
    source = task_file(cell.task)
    evaluation = {
        **({"split": "test", "limit": profile.evaluation.limit} if profile.scored else {"held_out": profile.held_out}),
        "chat": tasks.chat_name(cell.task, profile.evaluation.chat),
        "task_version": source.version,
        **source.own_file,
    }
    if cell.teacher is None:
        return evaluation
    method = profile.method_of(cell.method)
    given = {**profile.settings_for(cell.task, cell.method), "seed": cell.seed}
    return {
        **evaluation,
        **measured_on(profile, cell.task, record),
        **resolved(method, given, record),
        "method": method.name,
    }


def measured_on(profile: Profile, task: str, record: Mapping[str, Any]) -> dict[str, str]:
    """Return the hash of the held-out rows of a task; nothing for a record from before there was one."""
    if HELD_OUT not in record["configuration"]:
        return {}
    return {HELD_OUT: held_out_hash(profile, task)}
