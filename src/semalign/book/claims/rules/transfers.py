"""Rules on held-out losses: transfers of published weights, and what predicts the gain of a transfer."""

import json
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np

from semalign.book.claims.evidence import records_of
from semalign.book.claims.rules import rule
from semalign.book.claims.verdicts import NOT, REPRODUCED, UNDECIDED, Finding, NotRunError, over
from semalign.book.tables.prediction import measured
from semalign.book.tables.published import BENCHMARKS
from semalign.results.records import PAPER
from semalign.results.resampling import Difference, seeded_bootstrap
from semalign.results.statistics import Estimate, mean_interval, rank_correlation
from semalign.results.training import training_of

Record = Mapping[str, Any]
PAPERS_TARGETS = {
    "map": "semantic", "top_atoms": None, "temperature": None, "atoms": "all", "fold_norm": False,
    "centre_targets": False, "positions": "response",
}  # fmt: skip
"""The settings that targets depend on, as in the paper; an older record that lacks one has the paper's."""


@rule
def lower_nll(
    patterns: Sequence[str], *, theirs: str, tasks: Sequence[str], ours: str = PAPER, margin: float
) -> Finding:
    """Reproduced if the response NLL is lower by ``ours`` than by ``theirs`` on every task, paired by held-out row.

    A task is refuted if the whole interval of what ours gains is below ``margin`` nats; else it is open, and so it is
    where no run of one of the two trained. Without records of one task, or with those of other models or data beside
    each other, nothing is computed.
    """
    runs = {task: [record for record in records_of(patterns) if record["task"] == task] for task in tasks}
    gains = {task: _gain(found, ours, theirs) for task, found in runs.items()}
    idle = {task for task, found in runs.items() if any(_idle(found, name) for name in (ours, theirs))}
    outcomes = [
        None if task in idle else True if d.low > 0 else False if d.high < margin else None for task, d in gains.items()
    ]
    each = ", ".join(f"{BENCHMARKS[task]} {-d.value:+.4f} [{-d.high:+.4f}, {-d.low:+.4f}]" for task, d in gains.items())
    return Finding(over(outcomes), {"each": f"{each}; a method did not train" if idle else each})


def _idle(runs: Sequence[Record], name: str) -> bool:
    """Return whether no run of a method trained, of those that say; see :attr:`Training.trained`."""
    said = [training_of(run).trained for run in runs if run["method"] == name]
    return False in said and True not in said


def _gain(runs: Sequence[Record], ours: str, theirs: str) -> Difference:
    """Return how much lower the NLL of ours is on one task, with its interval over rows and seeds."""
    sides = [[run for run in runs if run["method"] == name] for name in (theirs, ours)]
    if lacking := [name for name, side in zip((theirs, ours), sides, strict=True) if not side]:
        raise NotRunError(f"no record of {lacking[0]}")
    for part in ("teacher", "student", "data"):  # a student as it is has no teacher and no training rows
        if len({run["fingerprints"].get(part) for run in chain(*sides)} - {None}) > 1:
            raise NotRunError(f"records of {ours} and {theirs} have another {part}")
    return seeded_bootstrap(*(np.array([_row_nll(run["details"]) for run in side]) for side in sides))


def _row_nll(details: Mapping[str, Any]) -> Sequence[float]:
    """Return the NLL of each held-out row, of a cell of a comparison or of a script's record."""
    return details["held_out"]["row_nll"] if "held_out" in details else details["row_nll"]


@rule
def nll_change(patterns: Sequence[str]) -> Finding:
    """Reproduced if the response NLL on held-out rows falls on every task, by the interval of its change over seeds.

    A task with one run has no interval, and is open.
    """
    changes: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for run in records_of(patterns):
        before, after = (run["details"][when]["response_nll"] for when in ("before", "after"))
        changes[run["task"]].append((before, after))
    found = {task: mean_interval([after - before for before, after in runs]) for task, runs in changes.items()}
    outcomes = [True if d.high < 0 else False if d.low > 0 else None for d in found.values()]
    each = ", ".join(_before_and_after(task, changes[task], change) for task, change in found.items())
    return Finding(over(outcomes), {"each": each})


def _before_and_after(task: str, runs: Sequence[tuple[float, float]], change: Estimate) -> str:
    before, after = np.mean(runs, axis=0)
    told = f"{BENCHMARKS[task]} {before:.2f} → {after:.2f}"
    return told if len(runs) == 1 else f"{told}, change {change.value:+.2f} [{change.low:+.2f}, {change.high:+.2f}]"


@rule
def predicts(patterns: Sequence[str], *, least: int, resamples: int = 2000) -> Finding:
    """Reproduced if alignment before training predicts the gain: a rank correlation whose interval is above zero.

    Alignment is the cosine of the student's states with the paper's targets before training, the gain the relative fall
    of the response NLL. One place counts once: both are means over the runs of a student, task, pair of layers and
    interface, whatever their rate, rows or output term. With fewer than ``least`` places nothing is computed.
    """
    gains: dict[Hashable, list[tuple[float, float]]] = defaultdict(list)
    for record in records_of(patterns):
        if _has_the_papers_targets(record["configuration"]) and (found := measured(record)):
            cosine, _, gain = found
            gains[_place(record)].append((cosine, gain))
    if len(gains) < least:
        raise NotRunError(f"{len(gains)} of at least {least} places with held-out losses")
    x, y = np.array([np.mean(found, axis=0) for found in gains.values()]).T
    runs = sum(map(len, gains.values()))
    found = rank_correlation(x, y, resamples=resamples)
    verdict = REPRODUCED if found.low > 0 else NOT if found.high < 0 else UNDECIDED
    numbers = {"correlation": found.value, "low": found.low, "high": found.high, "places": len(x), "runs": runs}
    return Finding(verdict, numbers)


def _has_the_papers_targets(settings: Mapping[str, Any]) -> bool:
    """Return whether a run has a layer term whose targets are those of Eq. 1 and 2, at the positions of the paper."""
    return bool(settings.get("layer_weight", 1.0)) and all(settings.get(k, v) == v for k, v in PAPERS_TARGETS.items())


def _place(record: Record) -> Hashable:
    details = record["details"]
    pairs = details.get("pairs", [[details.get("teacher_layers"), details.get("student_layer")]])
    models = (record["teacher"], record["student"])
    return *models, record["task"], json.dumps(pairs), record["configuration"].get("interface")
