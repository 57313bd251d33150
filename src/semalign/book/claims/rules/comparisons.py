"""Rules on scores: which of two methods is better, by paired differences with Holm's correction."""

from collections.abc import Collection, Iterator, Sequence
from itertools import cycle
from typing import NamedTuple

from numpy import ndarray

from semalign.book.claims.evidence import Scores
from semalign.book.claims.rules import rule
from semalign.book.claims.verdicts import Finding, NotRunError, over
from semalign.book.markdown import interval
from semalign.book.tables.paper import title
from semalign.results.records import NONE, PAPER
from semalign.results.resampling import Difference, resampled
from semalign.results.statistics import ALPHA, holm

RESAMPLES = 20_000
PERCENT = 100.0
Side = tuple[str, str, str]  # method, task and teacher


class Case(NamedTuple):
    """One comparison of a claim: its name, both scores in percent, their difference, and its corrected p value.

    ``least`` is the end of the one-sided 95% interval below. A case is idle if one of the two methods did not train:
    its score is then the student's, and decides nothing.
    """

    name: str
    ours: float
    theirs: float
    difference: Difference
    least: float
    p: float
    idle: bool = False

    @property
    def above(self) -> bool:
        """Whether ours is better after correction."""
        return self.p < ALPHA and self.difference.value > 0

    @property
    def below(self) -> bool:
        """Whether theirs is better after correction."""
        return self.p < ALPHA and self.difference.value < 0

    def holds(self, margin: float) -> bool | None:
        """Return whether ours is better; no if theirs is, or if the interval is below a margin; else open (None)."""
        if self.idle:
            return None
        return True if self.above else False if self.below or self.difference.high < margin else None

    def no_worse(self, margin: float) -> bool | None:
        """Return whether ours is worse by less than a margin; no if theirs is shown to be better, else open (None)."""
        if self.idle:
            return None
        return True if self.least > -margin else False if self.below else None


@rule
def better(
    patterns: Sequence[str],
    *,
    profile: str,
    theirs: str | Sequence[str],
    ours: str = PAPER,
    tasks: Sequence[str] | None = None,
    further: bool = False,
    margin: float = 1.0,
) -> Finding:
    """Reproduced if ``ours`` is above ``theirs`` in every case, by paired differences with Holm's correction.

    A case is a task and a teacher, and one of ``theirs`` if these are several. It counts as refuted if ``theirs`` is
    above, or if the interval of the difference is below ``margin`` points; without either it is open, and so it is
    where one of the two did not train.

    Args:
        patterns: records.
        profile: profile of the records.
        theirs: a method, ``none`` for the student or ``teacher`` for the teacher as it is; or several of them.
        ours: one of them.
        tasks: tasks of the profile; None for all.
        further: compare from the further teachers, not from the general one.
        margin: points.
    """
    scores, others = Scores(profile, patterns), [theirs] if isinstance(theirs, str) else theirs
    cases = cases_of(scores, ours, others, tasks, further)
    told = {**_numbers(cases), "untrained": _untrained(scores, (ours, *others), _pairs(scores, tasks, further))}
    return Finding(over(case.holds(margin) for case in cases), told)


@rule
def no_worse(
    patterns: Sequence[str], *, profile: str, ours: str, theirs: str, margin: float, tasks: Sequence[str] | None = None
) -> Finding:
    """Reproduced if ``ours`` is nowhere below ``theirs`` by a margin, by one-sided tests at 5%.

    A case is refuted where ``theirs`` is above. Cases and arguments are as in :func:`better`.
    """
    scores = Scores(profile, patterns)
    cases = cases_of(scores, ours, [theirs], tasks, further=False)
    told = {**_numbers(cases), "untrained": _untrained(scores, (ours, theirs), _pairs(scores, tasks, further=False))}
    return Finding(over(case.no_worse(margin) for case in cases), told)


@rule
def content_kept(
    patterns: Sequence[str], *, profile: str, controls: Sequence[str], ours: str = PAPER, margin: float = 1.0
) -> Finding:
    """Reproduced if ``ours`` is above the student and above every control without semantics on every task.

    In part if so on some. A task without a gain over the student is open: there is nothing that the atoms' meaning
    could explain.
    """
    scores = Scores(profile, patterns)
    cases = cases_of(scores, ours, controls, None, further=False)
    gain = cases_of(scores, ours, [NONE], None, further=False)
    of_tasks = zip(cases, cycle(gain), strict=False)  # each control on all tasks
    verdict = over(case.holds(margin) if gained.above else None for case, gained in of_tasks)
    each = each_text(cases) if len(controls) > 1 else f"minus `{controls[0]}`: {each_text(cases)}"
    return Finding(verdict, {"each": each, "gain": each_text(gain), **_counts(cases)})


@rule
def teachers_differ(
    patterns: Sequence[str],
    *,
    profile: str,
    ours: str = PAPER,
    than: str | None = None,
    tasks: Sequence[str] | None = None,
    margin: float = 1.0,
) -> Finding:
    """Reproduced if a method reaches more from every further teacher than from another one, in every task.

    Args:
        patterns: records.
        profile: profile of the records.
        ours: the method.
        than: the other teacher, one of the further ones or, with None, the general one.
        tasks: tasks of the profile; None for all.
        margin: as in :func:`better`.
    """
    scores = Scores(profile, patterns)
    other = than or scores.profile.teacher
    pairs = [(task, teacher) for task, teacher in further_pairs(scores, tasks) if teacher != other]
    cases = [(f"{title(task)} from {teacher}", (ours, task, teacher), (ours, task, other)) for task, teacher in pairs]
    compared = corrected_cases(scores, cases)
    told = {**_numbers(compared), "untrained": scores.untrained(ours, pairs)}
    return Finding(over(case.holds(margin) for case in compared), told)


def further_pairs(scores: Scores, tasks: Sequence[str] | None) -> Iterator[tuple[str, str]]:
    """Yield each task with each further teacher that is tried on it."""
    if not scores.profile.teachers:
        raise NotRunError(f"profile {scores.profile.name} has no further teachers")
    for teacher, taught in scores.profile.teachers.items():
        yield from ((task, teacher) for task in taught if tasks is None or task in tasks)


def _pairs(scores: Scores, tasks: Sequence[str] | None, further: bool) -> list[tuple[str, str]]:
    """Return tasks and teachers: the general teacher, or the further ones."""
    general = scores.profile.teacher
    return list(further_pairs(scores, tasks)) if further else [(task, general) for task in tasks or scores.tasks]


def cases_of(
    scores: Scores, ours: str, others: Sequence[str], tasks: Sequence[str] | None, further: bool
) -> list[Case]:
    """Return the comparisons of a method with others: for each task, from the general teacher or from the further ones.

    The name of a case says with what it is compared if there are several others.
    """
    minus, of = "minus `{}` on " if len(others) > 1 else "", " from {}" if further else ""
    sides = [
        (minus.format(name) + title(task) + of.format(teacher), (ours, task, teacher), (name, task, teacher))
        for name in others
        for task, teacher in _pairs(scores, tasks, further)
    ]
    return corrected_cases(scores, sides)


def corrected_cases(scores: Scores, cases: Sequence[tuple[str, Side, Side]]) -> list[Case]:
    """Return cases from their names and both sides."""
    flags = [(PERCENT * scores.flags(*ours), PERCENT * scores.flags(*theirs)) for _, ours, theirs in cases]
    idle = [any(scores.idle(*side) for side in sides) for _, *sides in cases]
    return tested([name for name, *_ in cases], flags, idle)


def tested(names: Sequence[str], points: Sequence[tuple[ndarray, ndarray]], idle: Sequence[bool]) -> list[Case]:
    """Return cases from the points of both sides, each of shape (seeds, items), with Holm's correction over them."""
    drawn = resampled(points, resamples=RESAMPLES)
    found = [each.difference() for each in drawn]
    p_values = holm([difference.p for difference in found])
    return [
        Case(name, float(ours.mean()), float(theirs.mean()), difference, each.interval(0.9)[0], p, still)
        for name, (ours, theirs), difference, each, p, still in zip(
            names, points, found, drawn, p_values, idle, strict=True
        )
    ]


def each_text(cases: Sequence[Case]) -> str:
    """Return the differences with their intervals."""
    return ", ".join(f"{case.name} {interval(*case.difference[:3], signed=True)}" for case in cases)


def _untrained(scores: Scores, methods: Sequence[str], cases: Collection[tuple[str, str]]) -> str:
    """Return how many runs of each side did not train."""
    return "".join(scores.untrained(method, cases) for method in methods)


def _counts(cases: Sequence[Case]) -> dict[str, int]:
    above, below = (sum(getattr(case, side) for case in cases) for side in ("above", "below"))
    return {"above": above, "below": below, "of": len(cases)}


def _numbers(cases: Sequence[Case]) -> dict[str, str | int]:
    scores = ", ".join(f"{case.name} {case.theirs:.1f} → {case.ours:.1f}" for case in cases)
    return {"each": each_text(cases), "scores": scores, "untrained": "", **_counts(cases)}
