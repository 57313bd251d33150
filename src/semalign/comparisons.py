"""What a method's score is above another's: paired differences of the records of a results folder."""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy import ndarray

from semalign.cells import NONE
from semalign.profiles import PAPER
from semalign.records import read_records
from semalign.statistics import holm, seeded_bootstrap

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


def differences(folder: Path, ours: str = PAPER, *, resamples: int = 10_000) -> pd.DataFrame:
    """Return "ours minus X" for every other method X, teacher and task that have records, in points.

    Intervals and p values are those of :func:`semalign.statistics.seeded_bootstrap`; ``p_holm`` is corrected across
    all lines of the table. X = ``none`` is the student as it is, with one run.

    Args:
        folder: run records, with ``details.correct``: which items were right.
        ours: a method or variant.
        resamples: of the bootstrap.

    Raises:
        FileNotFoundError: if there is no such folder.
        ValueError: if two methods were not scored on the same items.
    """
    records = read_records(folder)
    scored = records[records["details"].map(lambda details: "correct" in details)]
    lines = []
    for (teacher, student, task), mine in scored[scored["method"] == ours].groupby(["teacher", "student", "task"]):
        same = (scored["task"] == task) & (scored["student"] == student)
        as_it_is = same & (scored["method"] == NONE)
        others = scored[as_it_is | (same & (scored["teacher"] == teacher) & (scored["method"] != ours))]
        for method, theirs in others.groupby("method", sort=False):
            _check_items(pd.concat([mine, theirs]))
            a, b = _correct(mine), _correct(theirs)
            found = seeded_bootstrap(100 * a, 100 * b, resamples=resamples)
            lines.append([teacher, student, task, method, *found, None, len(a), len(b), a.shape[1]])
    table = pd.DataFrame(lines, columns=COLUMNS)
    table["p_holm"] = holm(table["p"].tolist())
    return table


def _correct(records: pd.DataFrame) -> ndarray:
    """Return which items were right, shape (seeds, items)."""
    return np.array([[float(c) for c in details["correct"]] for details in records.sort_values("seed")["details"]])


def _check_items(records: pd.DataFrame) -> None:
    seen = {(r["fingerprints"]["test"], len(r["details"]["correct"])) for _, r in records.iterrows()}
    if len(seen) > 1:
        methods = ", ".join(records["method"].unique())
        raise ValueError(f"not scored on the same items, {', '.join(f'{t} ({n})' for t, n in sorted(seen))}: {methods}")
