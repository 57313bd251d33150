"""Rules on held-out losses: transfers of published weights, and what predicts the gain of a transfer."""

import json
from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy import ndarray

from semalign.book.claims.evidence import records_of
from semalign.book.claims.rules import rule
from semalign.book.claims.verdicts import NOT, REPRODUCED, UNDECIDED, Finding, NotRunError, combined, over
from semalign.book.tables.prediction import measured
from semalign.book.tables.published import BENCHMARKS
from semalign.results.records import NONE, PAPER
from semalign.results.resampling import Difference, seeded_bootstrap
from semalign.results.statistics import Estimate, mean_interval, rank_correlation
from semalign.results.training import training_of

Record = Mapping[str, Any]
Places = dict[Hashable, list[tuple[float, float]]]  # cosine and gain of each run at a place
PAPERS_TARGETS = {
    "map": "semantic", "top_atoms": None, "temperature": None, "atoms": "all", "fold_norm": False,
    "centre_targets": False, "positions": "response", "responses": "given",
}  # fmt: skip
"""The settings that targets depend on, as in the paper; an older record that lacks one has the paper's."""


@rule
def lower_nll(
    patterns: Sequence[str], *, theirs: str, tasks: Sequence[str], ours: str = PAPER, margin: float
) -> Finding:
    """Reproduced if the response NLL is lower by ``ours`` than by ``theirs`` on every task, paired by held-out row.

    A task is refuted if the whole interval of what ours gains is below ``margin`` nats; else it is open, and so it is
    where no run of one of the two is known to have trained. Without records of one task, or with those of other models
    or data beside each other, nothing is computed.
    """
    runs = {task: [record for record in records_of(patterns) if record["task"] == task] for task in tasks}
    gains = {task: _gain(found, ours, theirs) for task, found in runs.items()}
    idle = {task: _idle([run for run in found if run["method"] in (ours, theirs)]) for task, found in runs.items()}
    outcomes = [
        None if idle[task] else True if d.low > 0 else False if d.high < margin else None for task, d in gains.items()
    ]
    each = [
        f"{BENCHMARKS[task]} {-d.value:+.4f} [{-d.high:+.4f}, {-d.low:+.4f}]{idle[task]}" for task, d in gains.items()
    ]
    return Finding(over(outcomes), {"each": ", ".join(each)})


def _idle(runs: Sequence[Record]) -> str:
    """Return in brackets which methods have no run that is known to have trained; see :attr:`Training.trained`."""
    trained = {run["method"] for run in runs if training_of(run).trained}
    idle = sorted({run["method"] for run in runs} - trained - {NONE})
    return f" (no run of {' and '.join(f'`{name}`' for name in idle)} is known to have trained)" if idle else ""


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

    A task with one run has no interval, and is open; so is one on which no run is known to have trained.
    """
    runs: dict[str, list[Record]] = defaultdict(list)
    for run in records_of(patterns):
        runs[run["task"]].append(run)
    outcomes, each = [], []
    for task, of_task in runs.items():
        changes = [_change(run) for run in of_task]
        found = mean_interval([after - before for before, after in changes])
        idle = _idle(of_task) if len(of_task) > 1 else ""
        outcomes.append(None if idle else True if found.high < 0 else False if found.low > 0 else None)
        each.append(_before_and_after(task, changes, found) + idle)
    return Finding(over(outcomes), {"each": ", ".join(each)})


def _change(run: Record) -> tuple[float, float]:
    return run["details"]["before"]["response_nll"], run["details"]["after"]["response_nll"]


def _before_and_after(task: str, runs: Sequence[tuple[float, float]], change: Estimate) -> str:
    before, after = np.mean(runs, axis=0)
    told = f"{BENCHMARKS[task]} {before:.2f} → {after:.2f}"
    return told if len(runs) == 1 else f"{told}, change {change.value:+.2f} [{change.low:+.2f}, {change.high:+.2f}]"


@rule
def predicts(patterns: Sequence[str], *, least: int, resamples: int = 2000) -> Finding:
    """Reproduced if alignment before training predicts the gain: a rank correlation whose interval is above zero.

    Alignment is the cosine of the student's states with the paper's targets before training, the gain the relative fall
    of the response NLL. One place counts once: both are means over the runs of two models, a task, a pair of layers and
    an interface, whatever their rate, rows or output term. Each student stands alone, since students differ in both; of
    one with fewer than ``least`` places nothing is computed. The correlation of medians is computed too and decides
    nothing.
    """
    students: dict[str, Places] = defaultdict(lambda: defaultdict(list))
    for record in records_of(patterns):
        if _has_the_papers_targets(record["configuration"]) and (found := measured(record)):
            cosine, _, gain = found
            students[record["student"]][_place(record)].append((cosine, gain))
    enough = {name: places for name, places in sorted(students.items()) if len(places) >= least}
    if not enough:
        most = max(map(len, students.values()), default=0)
        raise NotRunError(f"{most} of at least {least} places of a student with held-out losses")
    means = {name: _correlation(places, np.mean, resamples) for name, places in enough.items()}
    verdicts = [REPRODUCED if mean.low > 0 else NOT if mean.high < 0 else UNDECIDED for mean in means.values()]
    each = [
        f"{name} {_two_digits(means[name])} over {len(places)} places, from {sum(map(len, places.values()))} runs "
        f"(medians {_two_digits(_correlation(places, np.median, resamples))})"
        for name, places in enough.items()
    ]
    return Finding(combined(verdicts), {"each": "; ".join(each)})


def _two_digits(found: Estimate) -> str:
    return f"{found.value:+.2f} [{found.low:+.2f}, {found.high:+.2f}]"


def _correlation(places: Places, summary: Callable[..., ndarray], resamples: int) -> Estimate:
    """Return the rank correlation of cosine and gain over places, each summarised over its runs."""
    cosines, gains = np.array([summary(runs, axis=0) for runs in places.values()]).T
    return rank_correlation(cosines, gains, resamples=resamples)


def _has_the_papers_targets(settings: Mapping[str, Any]) -> bool:
    """Return whether a run has a layer term whose targets are those of Eq. 1 and 2, at positions of given responses."""
    return bool(settings.get("layer_weight", 1.0)) and all(settings.get(k, v) == v for k, v in PAPERS_TARGETS.items())


def _place(record: Record) -> Hashable:
    details = record["details"]
    pairs = details.get("pairs", [[details.get("teacher_layers"), details.get("student_layer")]])
    models = (record["teacher"], record["student"])
    return *models, record["task"], json.dumps(pairs), record["configuration"].get("interface")
