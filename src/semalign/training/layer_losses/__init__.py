"""The registry of layer losses, which compare a student layer's states with their targets; each has its own file.

A layer loss returns one value for each position. The objective sums these values over the whole batch and divides
once, so the result does not depend on ``micro_batch_size``::

    @layer_loss("mine")
    def mine(states: Tensor, targets: Tensor, rows: Tensor) -> Tensor: ...
"""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from semalign.registry import Registry

Values = Callable[[Tensor, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class LayerLoss:
    """A loss between states and targets.

    Attributes:
        values: function ``values(states, targets, rows)`` of arguments with shapes (n, D), (n, D_target) and (n,),
            which returns n values. States carry gradients, targets are constants, and ``rows`` holds the number of the
            row of the batch that each position belongs to.
        any_space: whether states and targets may be in different spaces of different widths.
    """

    values: Values
    any_space: bool = False


LAYER_LOSSES: Registry[LayerLoss] = Registry("layer loss", __name__)
"""All layer losses by name, the value of the setting ``layer_loss``."""


def layer_loss(name: str, *, any_space: bool = False) -> Callable[[Values], Values]:
    """Return the decorator that registers a layer loss; see :class:`LayerLoss`."""

    def add(values: Values) -> Values:
        LAYER_LOSSES.add(name, LayerLoss(values, any_space))
        return values

    return add
