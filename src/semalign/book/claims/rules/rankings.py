"""Rules on the rankings of Table 2: in how many settings a method leads, and where its lead is largest."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy import ndarray

from semalign.book.claims.evidence import TEACHER, Scores
from semalign.book.claims.rules import rule
from semalign.book.claims.rules.comparisons import PERCENT, Side, corrected_cases, each_text, further_pairs, tested
from semalign.book.claims.verdicts import NOT, PARTLY, REPRODUCED, UNDECIDED, Finding, NotRunError, over
from semalign.book.tables.paper import title
from semalign.results.records import PAPER


@rule
def leads(
    patterns: Sequence[str], *, profile: str, others: Sequence[str], least: int, ours: str = PAPER, margin: float = 1.0
) -> Finding:
    """Reproduced if ``ours`` is above every other method in at least ``least`` settings, by paired differences.

    A setting is a teacher, the general one or a further one, and a task that further teachers are tried on. In part if
    it leads in some settings; refuted if in too many of them another method is not below it, as in
    :func:`semalign.book.claims.rules.comparisons.better`; else open. Holm's correction is over all comparisons.

    Args:
        patterns: records.
        profile: profile of the records.
        others: the methods that it is compared with.
        least: number of settings.
        ours: the method.
        margin: points.
    """
    scores = Scores(profile, patterns)
    settings = list(_settings(scores))
    if len(settings) < least:
        raise NotRunError(f"profile {profile} has {len(settings)} settings, and {least} of them are asked for")
    sides: list[tuple[str, Side, Side]] = [
        (f"{title(task)} from {teacher} minus `{name}`", (ours, task, teacher), (name, task, teacher))
        for task, teacher in settings
        for name in others
    ]
    cases = corrected_cases(scores, sides)
    held = [case.holds(margin) for case in cases]
    of_setting = [held[start : start + len(others)] for start in range(0, len(held), len(others))]
    won, lost = sum(map(all, of_setting)), sum(False in each for each in of_setting)
    verdict = REPRODUCED if won >= least else PARTLY if won else NOT if len(settings) - lost < least else UNDECIDED
    untrained = "".join(scores.untrained(name, settings) for name in (ours, *others))
    return Finding(verdict, {"each": each_text(cases), "won": won, "of": len(settings), "untrained": untrained})


@rule
def passes_general(patterns: Sequence[str], *, profile: str, ours: str = PAPER, margin: float = 1.0) -> Finding:
    """Reproduced if ``ours`` from every further teacher is above the general teacher itself, by paired differences.

    Args:
        patterns: records.
        profile: profile of the records.
        ours: the method.
        margin: as in :func:`semalign.book.claims.rules.comparisons.better`.
    """
    scores = Scores(profile, patterns)
    general, pairs = scores.profile.teacher, list(further_pairs(scores, None))
    sides: list[tuple[str, Side, Side]] = [
        (f"{title(task)} from {teacher}", (ours, task, teacher), (TEACHER, task, general)) for task, teacher in pairs
    ]
    cases = corrected_cases(scores, sides)
    above, below = (sum(getattr(case, side) for case in cases) for side in ("above", "below"))
    told = {"each": each_text(cases), "above": above, "below": below, "of": len(cases)}
    return Finding(over(case.holds(margin) for case in cases), {**told, "untrained": scores.untrained(ours, pairs)})


@rule
def larger_margin(
    patterns: Sequence[str], *, profile: str, others: Sequence[str], ours: str = PAPER, margin: float = 1.0
) -> Finding:
    """Reproduced if ``ours`` minus every other method is larger from every further teacher than from the general one.

    Runs of the two methods are paired by seed, margins by item, with Holm's correction over all cases. A case in which
    one of the methods did not train, from one of its teachers, is open.

    Args:
        patterns: records.
        profile: profile of the records.
        others: the methods that it is compared with.
        ours: the method.
        margin: points.
    """
    scores = Scores(profile, patterns)
    places = [(task, teacher, name) for task, teacher in further_pairs(scores, None) for name in others]
    general = scores.profile.teacher
    margins = [
        (_margin(scores, ours, name, task, teacher), _margin(scores, ours, name, task, general))
        for task, teacher, name in places
    ]
    names = [f"{title(task)} from {teacher}, over `{name}`" for task, teacher, name in places]
    cases = tested(names, margins, [_idle(scores, ours, *place) for place in places])
    above = sum(case.above for case in cases)
    told = {"each": each_text(cases), "above": above, "of": len(cases), "idle": sum(case.idle for case in cases)}
    return Finding(over(case.holds(margin) for case in cases), told)


def _settings(scores: Scores) -> Iterator[tuple[str, str]]:
    """Yield tasks and teachers: first the general teacher with each task of further ones, then these."""
    further = list(further_pairs(scores, None))
    yield from ((task, scores.profile.teacher) for task in dict.fromkeys(task for task, _ in further))
    yield from further


def _margin(scores: Scores, ours: str, other: str, task: str, teacher: str) -> ndarray:
    """Return how much better a method is for each seed and item, in points, shape (seeds, items)."""
    return PERCENT * np.subtract(scores.flags(ours, task, teacher), scores.flags(other, task, teacher))


def _idle(scores: Scores, ours: str, task: str, teacher: str, name: str) -> bool:
    """Return whether one of the two methods did not train, from a further teacher or from the general one."""
    sources = (teacher, scores.profile.teacher)
    return any(scores.idle(method, task, source) for method in (ours, name) for source in sources)
