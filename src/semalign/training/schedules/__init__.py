"""The registry of schedules: in which order student layers are trained, one file each."""

from collections.abc import Callable
from dataclasses import dataclass

from semalign.registry import Registry
from semalign.training.adaptation import Adapted, Inputs

Run = Callable[[Inputs], Adapted]


@dataclass(frozen=True)
class Schedule:
    """An order of training.

    Attributes:
        run: from the inputs of a transfer to the adapted student.
        every_layer: whether it trains every student layer, so that there is no layer to choose.
    """

    run: Run
    every_layer: bool = False


SCHEDULES: Registry[Schedule] = Registry("schedule", __name__)
"""Schedules by the name that the setting ``schedule`` takes."""


def schedule(name: str, *, every_layer: bool = False) -> Callable[[Run], Run]:
    """Return the decorator that registers a schedule; see :class:`Schedule`."""

    def add(run: Run) -> Run:
        SCHEDULES.add(name, Schedule(run, every_layer))
        return run

    return add
