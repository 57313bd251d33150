"""Measurements of a student in the course of its training, which they leave as it would be without them."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from semalign.models.evaluating import evaluating
from semalign.models.random_state import same_random_state

Measure = Callable[[int, Any], Mapping[str, Any]]
Watcher = Callable[[int], None]


@dataclass(frozen=True)
class Watch:
    """What to measure, after which steps, and what was found.

    Attributes:
        steps: numbers of steps; 0 is the student before the first.
        measure: measures the student as it is after a number of steps.
        points: for each step, its number as ``step`` and the measurements.
    """

    steps: Collection[int]
    measure: Measure
    points: list[dict[str, Any]] = field(default_factory=list)

    def of(self, student: nn.Module, more: Callable[[], Mapping[str, Any]] = dict) -> Watcher:
        """Return what a training calls after each step: it measures its student, and ``more`` that it alone can."""

        def watch(step: int) -> None:
            if step not in self.steps:
                return
            with same_random_state(), evaluating(student), torch.no_grad():
                self.points.append({"step": step, **self.measure(step, student), **more()})

        return watch


def unwatched(step: int) -> None:
    """Measure nothing."""
