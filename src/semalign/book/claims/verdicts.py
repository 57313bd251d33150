"""The verdict on a claim, and how the verdicts of several tests make one."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

VERDICTS = ("reproduced", "reproduced in part", "not reproduced", "undecided", "not run")
REPRODUCED, PARTLY, NOT, UNDECIDED, NOT_RUN = VERDICTS


@dataclass(frozen=True)
class Finding:
    """What a rule finds in the records: a verdict, and the numbers that the text of the test is filled with."""

    verdict: str
    numbers: Mapping[str, Any] = field(default_factory=dict)


class NotRunError(Exception):
    """A record that a rule needs is missing, damaged or stale; the message says which and why."""


def combined(verdicts: Iterable[str]) -> str:
    """Return the verdict of several tests of one claim: theirs if they agree, else ``reproduced in part``.

    Tests that were not run do not count beside others, and undecided ones do not count beside decided ones.

    >>> combined(["not reproduced", "undecided", "not run"])
    'not reproduced'
    """
    found = set(verdicts) - {NOT_RUN}
    decided = found - {UNDECIDED}
    if not decided:
        return UNDECIDED if found else NOT_RUN
    return decided.pop() if len(decided) == 1 else PARTLY


def of_parts(verdicts: Iterable[str]) -> str:
    """Return the verdict of a claim that says several things, from the verdict of each: reproduced if all are.

    In part if only some are, or are in part, whatever the others; not reproduced if none is and one is not.

    >>> of_parts(["reproduced", "undecided"])
    'reproduced in part'
    """
    found = set(verdicts)
    if found & {REPRODUCED, PARTLY}:
        return REPRODUCED if found == {REPRODUCED} else PARTLY
    return next(verdict for verdict in (NOT, UNDECIDED, NOT_RUN) if verdict in found)


def over(outcomes: Iterable[bool | None]) -> str:
    """Return the verdict of a claim about several cases, each of which holds, does not hold, or is open (None).

    All hold: ``reproduced``; some: ``reproduced in part``; none: ``not reproduced`` if one of them is refuted,
    ``undecided`` if all are open.

    >>> over([None, False])
    'not reproduced'
    """
    found = list(outcomes)
    if any(found):
        return REPRODUCED if all(found) else PARTLY
    return NOT if False in found else UNDECIDED
