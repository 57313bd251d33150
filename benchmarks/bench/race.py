"""What is measured: a step of semalign and what a user would otherwise run, on the same work."""

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


class Absent(Exception):  # noqa: N818  not an error: the step is left out
    """The peer of a step is not installed, or its data are not here; the message says what is missing."""


@dataclass(frozen=True)
class Race:
    """One step at one size.

    Attributes:
        ours: the step; it is timed, and returns the result.
        peer: what a user would otherwise run on the same work.
        difference: the largest numerical difference of the two results, one number.
        flops: arithmetic operations that the work needs; None where arithmetic is not its limit.
        bytes: bytes that the work must read and write; None where memory is not its limit.
    """

    ours: Callable[[], Any]
    peer: Callable[[], Any]
    difference: Callable[[Any, Any], float]
    flops: float | None = None
    bytes: float | None = None


@dataclass(frozen=True)
class Step:
    """A row of the table.

    Attributes:
        name: name of the step, of its file and of its records.
        title: what readers see.
        peer: what a user would otherwise run.
        reach: the ratio of times to reach, the peer's to ours.
        sizes: arguments of ``build``, from small to large.
        build: prepares the work of one size, which is not timed.
        growth: expected exponent of the time in each number of the sizes; those that do not grow alone are left out.
        rounds: how often a side runs, for each size.
        says: one sentence on what is compared, where the title does not say it.
    """

    name: str
    title: str
    peer: str
    reach: float
    sizes: Sequence[Mapping[str, Any]]
    build: Callable[..., Race]
    growth: Mapping[str, float] = field(default_factory=dict)
    rounds: Sequence[int] = ()
    says: str = ""


STEPS: dict[str, Step] = {}


def step(
    *,
    title: str,
    peer: str,
    reach: float,
    sizes: Sequence[Mapping[str, Any]],
    growth: Mapping[str, float] | None = None,
    rounds: Sequence[int] = (),
    says: str = "",
) -> Callable[[Callable[..., Race]], Callable[..., Race]]:
    """Register a function that prepares a :class:`Race` as a step of its name; see :class:`Step`."""

    def register(build: Callable[..., Race]) -> Callable[..., Race]:
        name = build.__name__
        rest = growth or {}, rounds or (5,) * len(sizes), says
        STEPS[name] = Step(name, title, peer, reach, sizes, build, *rest)
        return build

    return register


def all_steps() -> list[Step]:
    """Return the steps of all files of :mod:`bench.steps`."""
    package = importlib.import_module("bench.steps")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"bench.steps.{module.name}")
    return [STEPS[name] for name in sorted(STEPS)]
