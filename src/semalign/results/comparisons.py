"""Differences between the scores of methods, paired by item, from the run records of a folder."""

from collections.abc import Collection, Hashable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy import ndarray

from semalign.results.records import NONE, PAPER, read_records
from semalign.results.resampling import Difference, enough, seeded_bootstraps
from semalign.results.statistics import holm

Key = tuple[Any, ...]
COLUMNS = [
    "teacher",
    "student",
    "task",
    "minus",
    "difference",
    "low",
    "high",
    "p",
    "p_holm",
    "seeds",
    "other_seeds",
    "n",
    "single",
]


def differences(
    folder: Path, ours: str = PAPER, *, only: Collection[str] | None = None, resamples: int = 10_000
) -> pd.DataFrame:
    """Return "ours minus X" for every other method X, teacher and task that have records, in points.

    Intervals and p values come from :func:`semalign.results.resampling.seeded_bootstrap`; ``p_holm`` is corrected
    over all lines of the table but those that are ``single``: one of the two is a training with one seed, so that what
    other seeds would give is unknown. X = ``none`` is the unmodified student, with one run and no seed.

    Args:
        folder: folder of run records; those with ``details.correct``, a flag for each item, are compared.
        ours: a method or variant.
        only: names of the files to read; None for all.
        resamples: number of bootstrap resamples; more where there are many lines, see
            :func:`semalign.results.resampling.enough`.

    Raises:
        FileNotFoundError: if there is no such folder.
        ValueError: if two methods were not scored on the same items.
    """
    scored = _scored(folder, only)
    keys: list[Key] = []
    pairs: list[tuple[ndarray, ndarray]] = []
    for (teacher, student, task), mine in scored[scored["method"] == ours].groupby(["teacher", "student", "task"]):
        same = (scored["task"] == task) & (scored["student"] == student)
        unmodified = same & (scored["method"] == NONE)  # the student alone, whose record names no teacher
        others = scored[unmodified | (same & (scored["teacher"] == teacher) & (scored["method"] != ours))]
        for method, theirs in others.groupby("method", sort=False):
            keys.append((teacher, student, task, method))
            pairs.append(_points(mine, theirs))
    found = seeded_bootstraps(pairs, resamples=enough(resamples, len(pairs)))
    sizes = [(len(mine), len(theirs), mine.shape[1]) for mine, theirs in pairs]
    lines = [[*key, *each, None, *size, False] for key, each, size in zip(keys, found, sizes, strict=True)]
    table = pd.DataFrame(lines, columns=COLUMNS)
    table["single"] = (table["seeds"] == 1) | ((table["other_seeds"] == 1) & (table["minus"] != NONE))
    several = table[~table["single"]]
    table["p_holm"] = pd.Series(holm(several["p"].tolist()), several.index, dtype=float)
    return table


def gaps(folder: Path, *, only: Collection[str] | None = None, resamples: int = 10_000) -> pd.DataFrame:
    """Return "teacher minus method" for every method, teacher and task that have records, in points.

    ``share`` is the percentage of the gap between the unmodified student and its teacher that the method closed: 0 at
    the student's score, 100 at the teacher's. It may lie outside this range. It is NaN if the record of the student is
    missing, or if the teacher is not clearly better, that is, if the interval of their difference is not above zero.
    Intervals come from :func:`semalign.results.resampling.seeded_bootstrap` on the same items.

    Args:
        folder: folder of run records; those with ``details.correct``, a flag for each item, are compared.
        only: names of the files to read; None for all.
        resamples: number of bootstrap resamples.

    Raises:
        FileNotFoundError: if there is no such folder.
        ValueError: if method and teacher were not scored on the same items.
    """
    scored = _scored(folder, only)
    unmodified = scored[scored["method"] == NONE]
    own = {key: part for key, part in unmodified.groupby(["student", "task"])}  # teachers are recorded as students too
    runs = {
        key: (own[key[1], key[3]], part)
        for key, part in scored.groupby(["method", "teacher", "student", "task"], sort=False)
        if (key[1], key[3]) in own
    }
    pairs = [_points(*sides) for sides in runs.values()]
    found, before = seeded_bootstraps(pairs, resamples=resamples), _before(own, runs, resamples)
    lines = []
    for key, (gap, low, high, _), (_, reached) in zip(runs, found, pairs, strict=True):
        whole = before.get(key[1:])
        share = 100 * (whole.value - gap) / whole.value if whole is not None and whole.low > 0 else np.nan
        lines.append([*key, gap, low, high, share, len(reached), reached.shape[1]])
    return pd.DataFrame(
        lines, columns=["method", "teacher", "student", "task", "gap", "low", "high", "share", "seeds", "n"]
    )


def _before(own: Mapping[Hashable, pd.DataFrame], keys: Iterable[Key], resamples: int) -> dict[Key, Difference]:
    """Return the gap before any transfer by teacher, student and task, once for all methods."""
    wanted = dict.fromkeys((t, student, task) for _, t, student, task in keys if (student, task) in own)
    pairs = {(t, s, task): (100 * _correct(own[t, task]), 100 * _correct(own[s, task])) for t, s, task in wanted}
    return dict(zip(pairs, seeded_bootstraps(list(pairs.values()), resamples=resamples), strict=True))


def _scored(folder: Path, only: Collection[str] | None) -> pd.DataFrame:
    """Return the records of a folder that hold a flag for each item."""
    records = read_records(folder, only)
    return records.loc[np.array(["correct" in details for details in records["details"]], dtype=bool)]


def _correct(records: pd.DataFrame) -> ndarray:
    """Return the flags of the items, 1 for a correct one, shape (seeds, items)."""
    return np.array([[float(c) for c in details["correct"]] for details in records.sort_values("seed")["details"]])


def _points(mine: pd.DataFrame, theirs: pd.DataFrame) -> tuple[ndarray, ndarray]:
    """Return 100 for each item that is correct in the runs of two methods, else 0, each of shape (seeds, items)."""
    _check_items(pd.concat([mine, theirs]))
    return 100 * _correct(mine), 100 * _correct(theirs)


def _check_items(records: pd.DataFrame) -> None:
    seen = {(r["fingerprints"]["test"], len(r["details"]["correct"])) for _, r in records.iterrows()}
    if len(seen) > 1:
        methods = ", ".join(records["method"].unique())
        raise ValueError(f"not scored on the same items, {', '.join(f'{t} ({n})' for t, n in sorted(seen))}: {methods}")
