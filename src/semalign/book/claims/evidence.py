"""The records that rules read: whole, and of the models, data and settings that are here; anything else is not run."""

from collections.abc import Collection, Sequence
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from numpy import ndarray

from semalign.book.claims.verdicts import NotRunError
from semalign.experiments.cells import entries_of
from semalign.experiments.profiles import Profile, load_profile
from semalign.experiments.runs import current, fingerprint_of
from semalign.paths import models_dir, results_dir
from semalign.results.records import NONE, DamagedRecordError, read_record, read_records

TEACHER = "teacher"  # in place of a method: the teacher as it is


def paths_of(patterns: Sequence[str]) -> list[Path]:
    """Return the record files below ``data/results`` that match some patterns, those of ``**`` included."""
    return sorted({path for pattern in patterns for path in results_dir().glob(pattern) if path.suffix == ".json"})


def records_of(patterns: Sequence[str]) -> list[dict[str, Any]]:
    """Return the records that match some patterns.

    Raises:
        NotRunError: if there is none, or if one is damaged or of another model than the bundled one of its name.
    """
    paths = paths_of(patterns)
    if not paths:
        raise NotRunError(f"no record {' or '.join(patterns)}")
    try:
        records = [read_record(path) for path in paths]
    except DamagedRecordError as error:
        raise NotRunError(f"a record is damaged: {error.reason}") from error
    identity = cache(_bundled)
    for path, record in zip(paths, records, strict=True):
        made_from = {side: record["fingerprints"].get(side) for side in ("teacher", "student")}
        if other := [side for side, found in made_from.items() if identity(record[side]) not in (None, found)]:
            raise NotRunError(f"{path.name} is stale: other {', '.join(other)}")
    return records


def _bundled(name: str | None) -> str | None:
    """Return the identity of a bundled model; None for a model from elsewhere, which cannot be compared."""
    return fingerprint_of(name) if name and (models_dir() / name).is_dir() else None


@cache
def _current(profile: str, names: frozenset[str]) -> frozenset[str]:
    """Return the current records of a profile; ``names`` are those on disk, so that a new file is looked at."""
    return frozenset(current(load_profile(profile), results_dir() / profile))


def kept_records(name: str) -> frozenset[str]:
    """Return the names of a profile's current records; none where it has no folder of them."""
    folder = results_dir() / name
    return _current(name, frozenset(path.name for path in folder.glob("*.json"))) if folder.is_dir() else frozenset()


class Scores:
    """The current scores of a profile, item by item.

    Args:
        name: the profile, whose records are in the folder of its name.
        patterns: the records that may be read.

    Raises:
        NotRunError: if the profile has no records.
    """

    def __init__(self, name: str, patterns: Sequence[str]) -> None:
        self.profile: Profile = load_profile(name)
        folder = results_dir() / name
        if not folder.is_dir():
            raise NotRunError(f"no record of profile {name}")
        kept = kept_records(name)
        allowed = [each for each in kept if any(fnmatch(f"{name}/{each}", pattern) for pattern in patterns)]
        self.records: pd.DataFrame = read_records(folder, allowed)

    @property
    def tasks(self) -> list[str]:
        """The tasks of the profile."""
        return list(self.profile.tasks)

    def flags(self, method: str, task: str, teacher: str) -> Float[ndarray, "seeds items"]:
        """Return 1 for each right item of each seed: of a method, or of student or teacher as they are.

        Raises:
            NotRunError: if a seed of the profile has no current record.
        """
        asis = {NONE: self.profile.student, TEACHER: teacher}.get(method)
        if not asis and method not in entries_of(self.profile, ["all"]):
            raise NotRunError(f"profile {self.profile.name} has no entry {method}")
        records, seeds = self.records, 1 if asis else len(self.profile.seeds)
        same = records["task"] == task
        if asis:
            found = records[same & (records["method"] == NONE) & (records["student"] == asis)]
        else:
            found = records[same & (records["method"] == method) & (records["teacher"] == teacher)]
        if len(found) < seeds:
            raise NotRunError(f"{len(found)} of {seeds} current records of {asis or method} on {task} from {teacher}")
        found = found.sort_values("seed")
        return np.array([[float(flag) for flag in details["correct"]] for details in found["details"]])

    def untrained(self, method: str, cases: Collection[tuple[str, str]]) -> str:
        """Return how many runs of a method did not train, with a semicolon before; nothing if all did or none says.

        Args:
            method: a method or variant.
            cases: task and teacher of the runs.
        """
        runs = self._runs(method, cases)
        trained = runs["trained"].dropna()
        idle = int((~trained.astype(bool)).sum())
        all_say, runs_of = len(trained) == len(runs), f"{len(trained)} runs of `{method}`"
        of = runs_of if all_say else f"the {runs_of} that measured it"
        return f"; {idle} of {of} did not train" if idle else ""

    def idle(self, method: str, task: str, teacher: str) -> bool:
        """Return whether no run of a method trained, of those that say; see :attr:`Training.trained`."""
        trained = self._runs(method, [(task, teacher)])["trained"].dropna().astype(bool)
        return len(trained) > 0 and not trained.any()

    def _runs(self, method: str, cases: Collection[tuple[str, str]]) -> pd.DataFrame:
        runs = self.records[self.records["method"] == method]
        chosen = [case in cases for case in zip(runs["task"], runs["teacher"], strict=True)]
        return runs.loc[np.array(chosen, dtype=bool)]  # an empty list would choose columns
