"""Rules: functions from records to a finding, by the name that the ledger gives for a test."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from semalign.book.claims.verdicts import Finding
from semalign.registry import Registry

RULES: Registry[Callable[..., Finding]] = Registry("rule", __name__)
"""All rules. A rule gets the patterns of its records and, by name, what the ledger gives it."""

R = TypeVar("R", bound=Callable[..., Finding])


def rule(function: R) -> R:
    """Register a rule under the name of its function."""
    RULES.add(function.__name__, function)
    return function


def evaluate(name: str, patterns: Sequence[str], given: dict[str, Any]) -> Finding:
    """Return the finding of a rule.

    Raises:
        ValueError: for a name that no rule has.
        NotRunError: if records that the rule needs are missing, damaged or stale.
    """
    return RULES[name](patterns, **given)
