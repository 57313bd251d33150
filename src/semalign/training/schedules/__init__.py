"""The registry of schedules, which set the order in which student layers are trained; each has its own file."""

from collections.abc import Callable
from dataclasses import dataclass

from semalign.registry import Registry
from semalign.training.adaptation import Adapted, Inputs

Run = Callable[[Inputs], Adapted]


@dataclass(frozen=True)
class Schedule:
    """An order in which student layers are trained.

    Attributes:
        run: function from the inputs of a transfer to the adapted student.
        every_layer: whether it trains every student layer, so that the settings may not choose layers.
    """

    run: Run
    every_layer: bool = False


SCHEDULES: Registry[Schedule] = Registry("schedule", __name__)
"""All schedules by name, the value of the setting ``schedule``."""


def schedule(name: str, *, every_layer: bool = False) -> Callable[[Run], Run]:
    """Return the decorator that registers a schedule; see :class:`Schedule`."""

    def add(run: Run) -> Run:
        SCHEDULES.add(name, Schedule(run, every_layer))
        return run

    return add
