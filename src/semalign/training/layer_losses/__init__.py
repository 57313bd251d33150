"""The registry of layer losses: what compares a student layer's states with their targets, one file each.

A layer loss gives one value for each position; the objective adds these up over the whole batch and divides once, so
that the size of the parts in which a batch is computed changes nothing::

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
        values: ``values(states, targets, rows)``, shapes (n, D), (n, D_target) and (n,), gives n values. States carry
            gradients, targets are constants, and ``rows`` tells which positions belong to one row of the data.
        any_space: whether states and targets may live in two spaces, of two widths.
    """

    values: Values
    any_space: bool = False


LAYER_LOSSES: Registry[LayerLoss] = Registry("layer loss", __name__)
"""Layer losses by the name that the setting ``layer_loss`` takes."""


def layer_loss(name: str, *, any_space: bool = False) -> Callable[[Values], Values]:
    """Return the decorator that registers a layer loss; see :class:`LayerLoss`."""

    def add(values: Values) -> Values:
        LAYER_LOSSES.add(name, LayerLoss(values, any_space))
        return values

    return add
