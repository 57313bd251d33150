"""Rules on the gap to the teacher: which method's is smallest, and whether it stays inside a bound (Section 5.2)."""

from collections.abc import Sequence

import numpy as np
from numpy import ndarray

from semalign.book.claims.evidence import TEACHER, Scores
from semalign.book.claims.rules import rule
from semalign.book.claims.rules.comparisons import PERCENT, RESAMPLES, Case, cases_of, each_text
from semalign.book.claims.verdicts import NOT, PARTLY, REPRODUCED, UNDECIDED, Finding, over
from semalign.book.tables.paper import title
from semalign.book.tables.transfers import size_text
from semalign.results.records import PAPER
from semalign.results.resampling import seeded_bootstraps
from semalign.results.statistics import ALPHA, holm

SIGNS = {1: True, -1: False}


@rule
def mean_gap(patterns: Sequence[str], *, profile: str, others: Sequence[str], ours: str = PAPER) -> Finding:
    """Reproduced if the mean absolute gap to the teacher is smaller for ``ours`` than for every other method.

    Differences of mean gaps are paired by item, with Holm's correction over the methods. The mean is over tasks. A
    comparison of methods of which one trained on no task is open.
    """
    scores = Scores(profile, patterns)
    teacher = scores.profile.teacher
    gaps = {name: [_gap(scores, name, task, teacher) for task in scores.tasks] for name in (ours, *others)}
    means = {name: float(np.mean([abs(items.mean()) for items in found])) for name, found in gaps.items()}
    found = seeded_bootstraps([(_sizes(gaps[name]), _sizes(gaps[ours])) for name in others], resamples=RESAMPLES)
    shown = [p < ALPHA and np.sign(d.value) for d, p in zip(found, holm([d.p for d in found]), strict=True)]
    idle = {name: all(scores.idle(name, task, teacher) for task in scores.tasks) for name in gaps}
    outcomes = [None if idle[ours] or idle[name] else SIGNS.get(int(s)) for name, s in zip(others, shown, strict=True)]
    verdict = over(outcomes)
    listed = ", ".join(f"`{name}` {size_text(mean, 1)}" for name, mean in means.items())
    return Finding(verdict, {"means": listed, "ours": means[ours]})


@rule
def closest(patterns: Sequence[str], *, profile: str, others: Sequence[str], ours: str = PAPER) -> Finding:
    """Reproduced if ``ours`` has the smallest absolute gap to the teacher on at least three of four tasks.

    In part if on some, not if on none and another method's gap is smaller on more than one of four; both count only if
    the paired difference is shown. A comparison of methods of which one did not train is open.
    """
    scores = Scores(profile, patterns)
    teacher, tasks = scores.profile.teacher, scores.tasks
    found = [{name: _gap(scores, name, task, teacher) for name in (ours, *others)} for task in tasks]
    pairs = [(_sizes([gaps[name]]), _sizes([gaps[ours]])) for gaps in found for name in others]
    differences = seeded_bootstraps(pairs, resamples=RESAMPLES)
    corrected, lines, outcomes = iter(holm([d.p for d in differences])), [], []
    by_task = [differences[i : i + len(others)] for i in range(0, len(differences), len(others))]
    for task, gaps, rest in zip(tasks, found, by_task, strict=True):
        shown = [next(corrected) < ALPHA and int(np.sign(d.value)) for d in rest]
        idle = [any(scores.idle(each, task, teacher) for each in (ours, name)) for name in others]
        outcomes.append(_all_of([None if open_ else SIGNS.get(sign) for open_, sign in zip(idle, shown, strict=True)]))
        best = min(gaps, key=lambda name: abs(gaps[name].mean()))
        lines.append(f"{title(task)} `{best}` {abs(gaps[best].mean()):.1f} (`{ours}` {abs(gaps[ours].mean()):.1f})")
    won, lost, needed = outcomes.count(True), outcomes.count(False), 0.75 * len(tasks)
    refuted = lost > len(tasks) - needed
    verdict = REPRODUCED if won >= needed else PARTLY if won else NOT if refuted else UNDECIDED
    return Finding(verdict, {"each": ", ".join(lines), "won": won, "of": len(tasks)})


def _all_of(outcomes: Sequence[bool | None]) -> bool | None:
    """Return whether all outcomes hold; no if one does not, else open (None) if one is."""
    return False if False in outcomes else None if None in outcomes else True


@rule
def within_of_teacher(patterns: Sequence[str], *, profile: str, bound: float, ours: str = PAPER) -> Finding:
    """Reproduced if every absolute gap to the teacher is at most ``bound`` points, refuted if its interval is above.

    A task on which ``ours`` did not train is open.
    """
    scores = Scores(profile, patterns)
    cases = cases_of(scores, TEACHER, [ours], None, further=False)
    outcomes = [None if c.idle else True if _inside(c, bound) else False if _beyond(c, bound) else None for c in cases]
    largest = max(cases, key=lambda case: abs(case.difference.value))
    return Finding(over(outcomes), {"each": each_text(cases), "largest": abs(largest.difference.value), "bound": bound})


def _inside(case: Case, bound: float) -> bool:
    return max(abs(case.difference.low), abs(case.difference.high)) <= bound


def _beyond(case: Case, bound: float) -> bool:
    return case.difference.low > bound or case.difference.high < -bound


def _gap(scores: Scores, method: str, task: str, teacher: str) -> ndarray:
    """Return teacher minus method for each seed and item, in points."""
    return PERCENT * (scores.flags(TEACHER, task, teacher) - scores.flags(method, task, teacher))


def _sizes(gaps: Sequence[ndarray]) -> ndarray:
    """Return gaps of several tasks side by side, each with the sign that makes its mean positive.

    The mean over all items is the mean over tasks of the absolute gap: items of a smaller task count for more.
    """
    items = sum(gap.shape[1] for gap in gaps)
    return np.hstack([(1 if gap.mean() >= 0 else -1) * gap * items / (len(gaps) * gap.shape[1]) for gap in gaps])
