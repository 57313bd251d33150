"""Differences of two entries in scores and in held-out NLL, over items or rows and seeds; equality of entries."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float
from numpy import ndarray

from semalign.results.records import NONE
from semalign.results.resampling import Resampled, enough, resampled
from semalign.results.statistics import holm

Details = Mapping[str, Any]
COLUMNS = ["task", "ours", "minus", "difference", "low", "high", "p", "p_holm"]
COLUMNS += ["equal_low", "equal_high", "equal", "seeds", "other_seeds", "n", "idle", "single"]


class Measure(NamedTuple):
    """What two entries are compared in.

    Attributes:
        name: its name.
        unit: its unit.
        margin: differences inside of it, on both sides of zero, make two entries equal.
        decimals: with which it is shown.
        values: the values of all items of a record, from its details; None if it has none.
    """

    name: str
    unit: str
    margin: float
    decimals: int
    values: Callable[[Details], Sequence[float] | None]


def _flags(details: Details) -> list[float] | None:
    return [100 * float(flag) for flag in details["correct"]] if "correct" in details else None


def _row_nll(details: Details) -> Sequence[float] | None:
    return (details.get("held_out") or {}).get("row_nll")


SCORE = Measure("score", "points", 2.0, 1, _flags)
NLL = Measure("held-out NLL", "nats per token", 0.01, 4, _row_nll)


def values_of(records: pd.DataFrame, measure: Measure) -> Float[ndarray, "seeds items"] | None:
    """Return the values of some runs, one line for each seed; None if there is no record, or one has no values.

    Raises:
        ValueError: if they were measured on different numbers of items.
    """
    found = [measure.values(details) for details in records.sort_values("seed")["details"]]
    if not found or any(each is None for each in found):
        return None
    if len({len(each) for each in found if each is not None}) > 1:
        raise ValueError(f"runs of {records['method'].iloc[0]} were measured on different numbers of items")
    return np.array(found, dtype=float)


def pair_differences(
    records: pd.DataFrame, pairs: Sequence[tuple[str, str]], measure: Measure, *, resamples: int = 10_000
) -> pd.DataFrame:
    """Return "ours minus X" for pairs of entries, on every task where both have values, over the seeds that both have.

    Intervals and p values come from :func:`semalign.results.resampling.seeded_bootstrap`; ``p_holm`` is corrected over
    all lines of the table, of which two with the same entries, in either order, count once. ``equal`` says whether two
    one-sided tests at 5% reject that the difference lies outside the measure's margin: they do if the 90% interval from
    ``equal_low`` to ``equal_high`` lies inside it (Schuirmann 1987). ``idle`` says that no run of either entry trained
    the student (:attr:`semalign.results.training.Training.trained`).

    ``single`` says that one of the entries is a training with one of these seeds. What other seeds would give is then
    unknown: interval and ``p`` are over items or rows alone, and the line has no ``p_holm``, does not count among those
    that are corrected, and is not ``equal``. A model as it is has no seed, and counts as several.

    Args:
        records: of one teacher and one student, see :func:`semalign.results.records.read_records`.
        pairs: ours and X, each an entry.
        measure: what they are compared in.
        resamples: number of bootstrap resamples; more where there are many lines, see
            :func:`semalign.results.resampling.enough`.

    Raises:
        ValueError: if two entries were measured on different numbers of items.
    """
    found: list[tuple[Any, str, str, ndarray, ndarray]] = []
    known: list[tuple[bool, bool]] = []
    for task, of_task in records.groupby("task", sort=False):
        parts = dict(list(of_task.groupby("method")))
        for ours, minus in pairs:
            if not {ours, minus} <= parts.keys():
                continue
            sides = _of_common_seeds(parts[ours], parts[minus])
            a, b = (values_of(side, measure) for side in sides)
            if a is not None and b is not None:
                found.append((task, ours, minus, a, b))
                known.append((all(map(_idle, sides)), any(map(_single, sides))))
    drawn = resampled([(a, b) for *_, a, b in found], resamples=enough(resamples, len(found)))
    lines = [
        [*key, *_line(a, b, each, measure), *flags]
        for (*key, a, b), each, flags in zip(found, drawn, known, strict=True)
    ]
    table = pd.DataFrame(lines, columns=COLUMNS)
    several = ~table["single"].astype(bool)
    table["equal"] = table["equal"].astype(bool) & several
    table["p_holm"] = pd.Series(_corrected(table[several]), table.index[several], dtype=float)
    return table


def _of_common_seeds(ours: pd.DataFrame, minus: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the runs of both entries with the seeds that both have, or all of them where they have none in common."""
    common = set(ours["seed"]) & set(minus["seed"])
    if not common:
        return ours, minus
    return ours[ours["seed"].isin(common)], minus[minus["seed"].isin(common)]


def lines_of(lines: pd.DataFrame, pairs: Collection[tuple[str, str]]) -> pd.DataFrame:
    """Return the lines of some pairs, of those of :func:`pair_differences`."""
    asked = [pair in pairs for pair in zip(lines["ours"], lines["minus"], strict=True)]
    return lines[np.array(asked, dtype=bool)]


def _idle(runs: pd.DataFrame) -> bool:
    """Return whether it is known that no run of an entry trained the student."""
    return "trained" in runs and bool(runs["trained"].eq(False).all())


def _single(runs: pd.DataFrame) -> bool:
    """Return whether an entry is a training with one seed."""
    return len(runs) == 1 and runs["method"].iloc[0] != NONE


def _corrected(table: pd.DataFrame) -> list[float]:
    """Return p by Holm's correction; two lines with the same entries on a task, in either order, are one comparison."""
    sides = zip(table["task"], table["ours"], table["minus"], strict=True)
    keys = [(task, frozenset(pair)) for task, *pair in sides]
    once = dict(zip(keys, table["p"], strict=True))
    corrected = dict(zip(once, holm(list(once.values())), strict=True))
    return [corrected[key] for key in keys]


def _line(a: ndarray, b: ndarray, drawn: Resampled, measure: Measure) -> list[Any]:
    low, high = drawn.interval(0.9)
    equal = -measure.margin < low and high < measure.margin
    return [*drawn.difference(), None, low, high, equal, len(a), len(b), a.shape[1]]
