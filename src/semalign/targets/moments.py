"""What linear maps between two sets of states are fitted from, read as a stream."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from semalign.targets.store import StateStore

EXAMPLES = 64  # examples converted to float64 at once


class Moments(NamedTuple):
    """Second moments of states x and y at the same positions, sums over positions in float64."""

    xx: Float[Tensor, "d_x d_x"]
    xy: Float[Tensor, "d_x d_y"]


def moments(x: StateStore, y: StateStore, *, centred: bool = False) -> Moments:
    """Return ``X^T X`` and ``X^T Y`` of two stores that hold states of the same positions.

    Args:
        x: states to map from.
        y: states to map to.
        centred: subtract the means over all positions first.
    """
    # Row and column 0 belong to a constant 1, so that one product gives the count and the sums as well:
    # [1 X]^T [1 X Y], kept transposed, of shape (1 + D_x + D_y, 1 + D_x).
    n, both = x.width, torch.zeros(1 + x.width + y.width, 1 + x.width, dtype=torch.float64)
    for start in range(0, len(x), EXAMPLES):
        rows = range(start, min(start + EXAMPLES, len(x)))
        first, second = (torch.cat([store[i] for i in rows]).double() for store in (x, y))
        left = torch.cat([torch.ones(len(first), 1, dtype=torch.float64), first], dim=1)
        both += torch.cat([left, second], dim=1).T @ left
    if centred:  # sum (x - mean)(y - mean)^T = sum x y^T - (sum x)(sum y)^T / n
        both = both - torch.outer(both[:, 0], both[0]) / both[0, 0]
    return Moments(both[1 : 1 + n, 1:], both[1 + n :, 1:].T)
