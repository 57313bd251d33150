"""What a plan leaves out: jobs whose needs it cannot tell, with the reasons."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


class UnplannedError(ValueError):
    """The needs of a job cannot be told, such as those of a model without a configuration."""


def planned(makers: Iterable[Callable[[], T]]) -> tuple[list[T], list[str]]:
    """Return the jobs whose needs can be told, and a line for each reason why others are left out.

    Args:
        makers: functions that make a job each, or raise :class:`UnplannedError`.
    """
    jobs: list[T] = []
    reasons: Counter[str] = Counter()
    for make in makers:
        try:
            jobs.append(make())
        except UnplannedError as error:
            reasons[str(error)] += 1
    return jobs, [
        f"left out of the plan ({number} job{'s' * (number > 1)}): {reason}" for reason, number in reasons.items()
    ]
