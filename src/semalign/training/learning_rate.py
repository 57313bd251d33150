"""The learning rate over a run: linear warm-up, then linear decay."""

from typing import NamedTuple


class LinearDecay(NamedTuple):
    """The factor on the peak learning rate at each step.

    With w warm-up steps of T, it is ``s / w`` at step s up to w, then ``(T - s + 1) / (T - w)``.

    Attributes:
        total: number of steps of the whole run, T.
        warmup_ratio: share of the steps in which the rate rises.
    """

    total: int
    warmup_ratio: float

    def factor(self, step: int) -> float:
        """Return the factor at a step, counted from 1."""
        warmup = round(self.warmup_ratio * self.total)
        return step / warmup if step <= warmup else (self.total - step + 1) / (self.total - warmup)

    def agrees(self, other: "LinearDecay", steps: int) -> bool:
        """Return whether the first steps have the same factors in a run of another length."""
        if steps > min(self.total, other.total):
            return False
        return all(self.factor(step) == other.factor(step) for step in range(1, steps + 1))
