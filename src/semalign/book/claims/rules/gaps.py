"""Rules on the gap to the teacher: which method's is smallest, and whether it stays inside a bound (Section 5.2)."""

from collections.abc import Sequence
from itertools import islice

import numpy as np
from numpy import ndarray

from semalign.book.claims.evidence import TEACHER, Scores
from semalign.book.claims.rules import rule
from semalign.book.claims.rules.comparisons import ALPHA, PERCENT, RESAMPLES, Case, cases_of, each_text
from semalign.book.claims.verdicts import NOT, PARTLY, REPRODUCED, UNDECIDED, Finding, over
from semalign.book.tables.paper import title
from semalign.book.tables.transfers import size_text
from semalign.results.records import PAPER
from semalign.results.resampling import seeded_bootstraps
from semalign.results.statistics import holm

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

    Partly if on some; a smallest gap counts only if its paired difference from each other method is shown. Tasks on
    which ``ours`` did not train do not count.
    """
    scores = Scores(profile, patterns)
    teacher, lines, won = scores.profile.teacher, [], 0
    tasks = [task for task in scores.tasks if not scores.idle(ours, task, teacher)]
    found = [{name: _gap(scores, name, task, teacher) for name in (ours, *others)} for task in tasks]
    pairs = [(_sizes([gaps[name]]), _sizes([gaps[ours]])) for gaps in found for name in others]
    differences = iter(seeded_bootstraps(pairs, resamples=RESAMPLES))
    for task, gaps in zip(tasks, found, strict=True):
        rest = list(islice(differences, len(others)))
        won += all(p < ALPHA and d.value > 0 for d, p in zip(rest, holm([d.p for d in rest]), strict=True))
        best = min(gaps, key=lambda name: abs(gaps[name].mean()))
        lines.append(f"{title(task)} `{best}` {abs(gaps[best].mean()):.1f} (`{ours}` {abs(gaps[ours].mean()):.1f})")
    verdict = REPRODUCED if won >= 0.75 * len(tasks) else PARTLY if won else NOT
    return Finding(verdict if tasks else UNDECIDED, {"each": ", ".join(lines), "won": won, "of": len(tasks)})


@rule
def within_of_teacher(patterns: Sequence[str], *, profile: str, bound: float, ours: str = PAPER) -> Finding:
    """Reproduced if every absolute gap to the teacher is at most ``bound`` points, refuted if its interval is above.

    A task on which ``ours`` did not train is open.
    """
    scores = Scores(profile, patterns)
    cases = cases_of(scores, TEACHER, ours, None, further=False)
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
    return np.hstack([np.sign(gap.mean()) * gap * items / (len(gaps) * gap.shape[1]) for gap in gaps])
