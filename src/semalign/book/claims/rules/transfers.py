"""Rules on held-out losses: transfers of published weights, and what predicts the gain of a transfer."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from semalign.book.claims.evidence import records_of
from semalign.book.claims.rules import rule
from semalign.book.claims.verdicts import NOT, REPRODUCED, UNDECIDED, Finding, NotRunError, over
from semalign.book.tables.prediction import measured
from semalign.book.tables.published import BENCHMARKS
from semalign.results.records import PAPER
from semalign.results.statistics import Difference, rank_correlation, seeded_bootstrap

Record = Mapping[str, Any]


@rule
def lower_nll(patterns: Sequence[str], *, theirs: str, ours: str = PAPER, margin: float) -> Finding:
    """Reproduced if the response NLL is lower by ``ours`` than by ``theirs`` on every task, paired by held-out row.

    A task is refuted if the whole interval of what ours gains is below ``margin`` nats; else it is open.
    """
    found = _by_task(patterns)
    gains = {task: _gain(runs, ours, theirs) for task, runs in found.items()}
    outcomes = [True if d.low > 0 else False if d.high < margin else None for d in gains.values()]
    each = ", ".join(f"{BENCHMARKS[task]} {-d.value:+.4f} [{-d.high:+.4f}, {-d.low:+.4f}]" for task, d in gains.items())
    return Finding(over(outcomes), {"each": each})


def _by_task(patterns: Sequence[str]) -> dict[str, dict[str, list[Record]]]:
    found: dict[str, dict[str, list[Record]]] = defaultdict(lambda: defaultdict(list))
    for record in records_of(patterns):
        found[record["task"]][record["method"]].append(record)
    return found


def _gain(runs: Mapping[str, list[Record]], ours: str, theirs: str) -> Difference:
    """Return how much lower the NLL of ours is, with its interval over rows and seeds."""
    if not runs.get(ours) or not runs.get(theirs):
        raise NotRunError(f"no record of {theirs if runs.get(ours) else ours}")
    sides = [np.array([run["details"]["row_nll"] for run in runs[name]]) for name in (theirs, ours)]
    return seeded_bootstrap(*sides)


@rule
def nll_change(patterns: Sequence[str]) -> Finding:
    """Undecided: the response NLL on held-out rows before and after one run each, which has no interval."""
    runs = records_of(patterns)
    changes = [tuple(run["details"][when]["response_nll"] for when in ("before", "after")) for run in runs]
    each = ", ".join(
        f"{BENCHMARKS[run['task']]} {before:.2f} → {after:.2f}"
        for run, (before, after) in zip(runs, changes, strict=True)
    )
    return Finding(UNDECIDED, {"each": each})


@rule
def predicts(patterns: Sequence[str], *, least: int, resamples: int = 2000) -> Finding:
    """Reproduced if alignment before training predicts the gain: a rank correlation whose interval is above zero.

    Alignment is the cosine of the student's states with the targets before training, the gain the relative fall of the
    response NLL, averaged over runs with the same cosine. With fewer than ``least`` cosines nothing is computed.
    """
    gains: dict[float, list[float]] = defaultdict(list)
    for record in records_of(patterns):
        if record["configuration"].get("map") == "semantic" and (found := measured(record)):
            cosine, _, gain = found
            gains[round(cosine, 6)].append(gain)
    if len(gains) < least:
        raise NotRunError(f"{len(gains)} of at least {least} pairs, tasks or interfaces with held-out losses")
    x, y = np.array(list(gains)), np.array([np.mean(found) for found in gains.values()])
    found = rank_correlation(x, y, resamples=resamples)
    verdict = REPRODUCED if found.low > 0 else NOT if found.high < 0 else UNDECIDED
    return Finding(verdict, {"correlation": found.value, "low": found.low, "high": found.high, "pairs": len(x)})
