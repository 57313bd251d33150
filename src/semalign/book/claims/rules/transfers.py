"""Rules on held-out losses: transfers of published weights, and what predicts the gain of a transfer."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from semalign.book.claims.evidence import records_of
from semalign.book.claims.rules import rule
from semalign.book.claims.verdicts import NOT, REPRODUCED, UNDECIDED, Finding, NotRunError, over
from semalign.book.tables.published import BENCHMARKS
from semalign.results.records import PAPER
from semalign.results.statistics import Difference, seeded_bootstrap
from semalign.results.training import training_of

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
        if record["configuration"].get("map") == "semantic" and (found := _measured(record)):
            gains[round(found[0], 6)].append(found[1])
    if len(gains) < least:
        raise NotRunError(f"{len(gains)} of at least {least} pairs, tasks or interfaces with held-out losses")
    x, y = np.array(list(gains)), np.array([np.mean(found) for found in gains.values()])
    low, high = _interval(x, y, resamples)
    verdict = REPRODUCED if low > 0 else NOT if high < 0 else UNDECIDED
    return Finding(verdict, {"correlation": spearmanr(x, y).statistic, "low": low, "high": high, "pairs": len(x)})


def _measured(record: Record) -> tuple[float, float] | None:
    """Return the layer cosine before training and the relative fall of the NLL; None if a record lacks them."""
    training = training_of(record)
    if training.layer_cosine and training.held_out:
        return training.layer_cosine.before, 1 - training.held_out.after / training.held_out.before
    before, after = (record["details"].get(when) or {} for when in ("before", "after"))
    if not {"layer_cosine", "response_nll"} <= set(before):
        return None
    return before["layer_cosine"], 1 - after["response_nll"] / before["response_nll"]


def _interval(x: np.ndarray, y: np.ndarray, resamples: int) -> tuple[float, float]:
    """Return the 95% percentile interval of the rank correlation over resamples of the pairs."""
    drawn = np.random.default_rng(0).integers(len(x), size=(resamples, len(x)))
    found = [spearmanr(x[i], y[i]).statistic for i in drawn if len(set(x[i])) > 2]
    low, high = np.nanquantile(found, [0.025, 0.975])
    return float(low), float(high)
