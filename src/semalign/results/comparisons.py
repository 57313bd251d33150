"""Differences between the scores of methods, paired by item, from the run records of a folder."""

from collections.abc import Collection
from pathlib import Path

import numpy as np
import pandas as pd
from numpy import ndarray

from semalign.results.records import NONE, PAPER, read_records
from semalign.results.statistics import Difference, holm, seeded_bootstrap

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
]


def differences(
    folder: Path, ours: str = PAPER, *, only: Collection[str] | None = None, resamples: int = 10_000
) -> pd.DataFrame:
    """Return "ours minus X" for every other method X, teacher and task that have records, in points.

    Intervals and p values come from :func:`semalign.results.statistics.seeded_bootstrap`; ``p_holm`` is corrected
    over all lines of the table. X = ``none`` is the unmodified student, with one run.

    Args:
        folder: folder of run records; those with ``details.correct``, a flag for each item, are compared.
        ours: a method or variant.
        only: names of the files to read; None for all.
        resamples: number of bootstrap resamples.

    Raises:
        FileNotFoundError: if there is no such folder.
        ValueError: if two methods were not scored on the same items.
    """
    scored = _scored(folder, only)
    lines = []
    for (teacher, student, task), mine in scored[scored["method"] == ours].groupby(["teacher", "student", "task"]):
        same = (scored["task"] == task) & (scored["student"] == student)
        unmodified = same & (scored["method"] == NONE)  # the student alone, whose record names no teacher
        others = scored[unmodified | (same & (scored["teacher"] == teacher) & (scored["method"] != ours))]
        for method, theirs in others.groupby("method", sort=False):
            _check_items(pd.concat([mine, theirs]))
            a, b = _correct(mine), _correct(theirs)
            found = seeded_bootstrap(100 * a, 100 * b, resamples=resamples)
            lines.append([teacher, student, task, method, *found, None, len(a), len(b), a.shape[1]])
    table = pd.DataFrame(lines, columns=COLUMNS)
    table["p_holm"] = holm(table["p"].tolist())
    return table


def gaps(folder: Path, *, only: Collection[str] | None = None, resamples: int = 10_000) -> pd.DataFrame:
    """Return "teacher minus method" for every method, teacher and task that have records, in points.

    ``share`` is the percentage of the gap between the unmodified student and its teacher that the method closed: 0 at
    the student's score, 100 at the teacher's. It may lie outside this range. It is NaN if the record of the student is
    missing, or if the teacher is not clearly better, that is, if the interval of their difference is not above zero.
    Intervals come from :func:`semalign.results.statistics.seeded_bootstrap` on the same items.

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
    lines = []
    for key, part in scored.groupby(["method", "teacher", "student", "task"], sort=False):
        _, teacher, student, task = key
        if (teacher, task) not in own:
            continue
        _check_items(pd.concat([part, own[teacher, task]]))
        reached, goal = _correct(part), _correct(own[teacher, task])
        gap, low, high, _ = seeded_bootstrap(100 * goal, 100 * reached, resamples=resamples)
        whole = Difference(np.nan, np.nan, np.nan, np.nan)  # the gap before any transfer
        if (student, task) in own:
            whole = seeded_bootstrap(100 * goal, 100 * _correct(own[student, task]), resamples=resamples)
        share = 100 * (whole.value - gap) / whole.value if whole.low > 0 else np.nan
        lines.append([*key, gap, low, high, share, len(reached), reached.shape[1]])
    return pd.DataFrame(
        lines, columns=["method", "teacher", "student", "task", "gap", "low", "high", "share", "seeds", "n"]
    )


def _scored(folder: Path, only: Collection[str] | None) -> pd.DataFrame:
    """Return the records of a folder that hold a flag for each item."""
    records = read_records(folder, only)
    return records.loc[np.array(["correct" in details for details in records["details"]], dtype=bool)]


def _correct(records: pd.DataFrame) -> ndarray:
    """Return the flags of the items, 1 for a correct one, shape (seeds, items)."""
    return np.array([[float(c) for c in details["correct"]] for details in records.sort_values("seed")["details"]])


def _check_items(records: pd.DataFrame) -> None:
    seen = {(r["fingerprints"]["test"], len(r["details"]["correct"])) for _, r in records.iterrows()}
    if len(seen) > 1:
        methods = ", ".join(records["method"].unique())
        raise ValueError(f"not scored on the same items, {', '.join(f'{t} ({n})' for t, n in sorted(seen))}: {methods}")
