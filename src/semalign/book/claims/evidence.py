"""The records that rules read: whole, and of the models, data and settings that are here; anything else is not run."""

from collections.abc import Collection, Sequence
from fnmatch import fnmatch
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from numpy import ndarray

from semalign.book.claims.profiles import profile_of
from semalign.book.claims.stamps import Stamp, stamp, stamps
from semalign.book.claims.verdicts import NotRunError
from semalign.experiments.cells import entries_of
from semalign.experiments.currency import current
from semalign.experiments.inputs import fingerprint_of
from semalign.experiments.profile_paths import profile_names
from semalign.experiments.profiles import Profile
from semalign.paths import models_dir, results_dir
from semalign.results.records import NONE, DamagedRecordError, read_record, read_records

KEPT = 2048  # records, of which several rules read the same
TEACHER = "teacher"  # in place of a method: the teacher as it is


def paths_of(patterns: Sequence[str]) -> list[Path]:
    """Return the record files below ``data/results`` that match some patterns, those of ``**`` included."""
    return sorted({path for pattern in patterns for path in results_dir().glob(pattern) if path.suffix == ".json"})


def records_of(patterns: Sequence[str]) -> list[dict[str, Any]]:
    """Return the records that match some patterns.

    Raises:
        NotRunError: if a pattern has none, or if a record is damaged, of another model than the bundled one of its
            name, or in the folder of a comparison of bundled models without being current there.
    """
    if lacking := [pattern for pattern in patterns if not paths_of([pattern])]:
        raise NotRunError(f"no record {' or '.join(lacking)}")
    paths = paths_of(patterns)
    try:
        records = [_record(stamp(path)) for path in paths]
    except DamagedRecordError as error:
        raise NotRunError(f"a record is damaged: {error.reason}") from error
    identity = cache(_bundled)
    kept = {folder: kept_records(folder.name) for folder in {path.parent for path in paths} if _compared(folder)}
    for path, record in zip(paths, records, strict=True):
        made_from = {side: record["fingerprints"].get(side) for side in ("teacher", "student")}
        if other := [side for side, found in made_from.items() if identity(record[side]) not in (None, found)]:
            raise NotRunError(f"{path.name} is stale: other {', '.join(other)}")
        if path.name not in kept.get(path.parent, {path.name}):
            raise NotRunError(f"{path.name} is stale, or no cell of profile {path.parent.name}")
    return records


def _compared(folder: Path) -> bool:
    """Return whether a folder has the comparison of a profile whose models are bundled."""
    if folder.parent != results_dir() or folder.name not in profile_names():
        return False
    profile = profile_of(folder.name)
    return all((models_dir() / name).is_dir() for name in (profile.teacher, profile.student))


def _bundled(name: str | None) -> str | None:
    """Return the identity of a bundled model; None for a model from elsewhere, which cannot be compared."""
    return fingerprint_of(name) if name and (models_dir() / name).is_dir() else None


@lru_cache(maxsize=KEPT)
def _record(file: Stamp) -> dict[str, Any]:
    """Return a record, for rules that only look at it."""
    return read_record(file.path)


@lru_cache(maxsize=16)
def _current(profile: str, files: frozenset[Stamp]) -> frozenset[str]:
    """Return the current records of a profile; ``files`` are those on disk, so that a changed file is looked at."""
    return frozenset(current(profile_of(profile), results_dir() / profile))


def _files(profile: str) -> frozenset[Stamp]:
    return frozenset(stamps(results_dir() / profile, ".json"))


def kept_records(name: str) -> frozenset[str]:
    """Return the names of a profile's current records; none where it has no folder of them."""
    return _current(name, _files(name)) if (results_dir() / name).is_dir() else frozenset()


def _kept_table(profile: str) -> pd.DataFrame:
    """Return all current records of a profile; tests read some of them, and the same ones."""
    files = _files(profile)
    kept = _current(profile, files)
    return _table(results_dir() / profile, frozenset(file for file in files if file.name in kept))


@lru_cache(maxsize=16)
def _table(folder: Path, files: frozenset[Stamp]) -> pd.DataFrame:
    return read_records(folder, {file.name for file in files})


class Scores:
    """The current scores of a profile, item by item.

    Args:
        name: the profile, whose records are in the folder of its name.
        patterns: the records that may be read.

    Raises:
        NotRunError: if the profile has no records.
    """

    def __init__(self, name: str, patterns: Sequence[str]) -> None:
        self.profile: Profile = profile_of(name)
        if not (results_dir() / name).is_dir():
            raise NotRunError(f"no record of profile {name}")
        table = _kept_table(name)
        places = [f"{name}/{Path(path).name}" for path in table["path"]]
        allowed = [any(fnmatch(place, pattern) for pattern in patterns) for place in places]
        self.records: pd.DataFrame = table.loc[np.array(allowed, dtype=bool)]

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
        if asis:
            same = (records["method"] == NONE) & (records["student"] == asis)
        else:
            same = (records["method"] == method) & (records["teacher"] == teacher)
        found = records.loc[same & (records["task"] == task), ["seed", "details"]]
        if len(found) < seeds:
            raise NotRunError(f"{len(found)} of {seeds} current records of {asis or method} on {task} from {teacher}")
        in_order = found.sort_values("seed")["details"]
        return np.array([[float(flag) for flag in details["correct"]] for details in in_order])

    def untrained(self, method: str, cases: Collection[tuple[str, str]]) -> str:
        """Return how many runs of a method did not train, with a semicolon before; nothing if all did or none says.

        Args:
            method: a method or variant.
            cases: task and teacher of the runs.
        """
        found = self._trained(method, cases)
        trained = found.dropna()
        idle = int((~trained.astype(bool)).sum())
        all_say, runs_of = len(trained) == len(found), f"{len(trained)} runs of `{method}`"
        of = runs_of if all_say else f"the {runs_of} that measured it"
        return f"; {idle} of {of} did not train" if idle else ""

    def idle(self, method: str, task: str, teacher: str) -> bool:
        """Return whether a method has runs and none is known to have trained; see :attr:`Training.trained`."""
        said = self._trained(method, [(task, teacher)])
        return len(said) > 0 and not said.eq(True).any()

    def _trained(self, method: str, cases: Collection[tuple[str, str]]) -> pd.Series:
        """Return of each run of a method for some tasks and teachers whether it trained; None where it does not say."""
        runs = self.records.loc[self.records["method"] == method, ["task", "teacher", "trained"]]
        chosen = [case in cases for case in zip(runs["task"], runs["teacher"], strict=True)]
        return runs.loc[np.array(chosen, dtype=bool), "trained"]  # an empty list would choose columns
