"""Second moments of two sets of states, from which linear maps are fitted; states are read as a stream."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from semalign.targets.store import States

EXAMPLES = 64  # examples converted to float64 at once


class Moments(NamedTuple):
    """Second moments of states x and y at the same positions, summed over positions in float64."""

    xx: Float[Tensor, "d_x d_x"]
    xy: Float[Tensor, "d_x d_y"]


def moments(x: States, y: States, *, centred: bool = False, shuffled: int | None = None) -> Moments:
    """Return ``X^T X`` and ``X^T Y`` of two sets of states of the same positions.

    Args:
        x: states to map from.
        y: states to map to.
        centred: whether to subtract the means over all positions first.
        shuffled: seed of a permutation of the positions of y, within each part of 64 examples: a control in which a
            state no longer meets the state of its own position. None: no permutation.
    """
    generator = None if shuffled is None else torch.Generator().manual_seed(shuffled)
    # A constant 1 is prepended to X, so that one product also gives the count and the sums:
    # [1 X Y]^T [1 X], shape (1 + D_x + D_y, 1 + D_x), with the sums of x and y in column 0.
    n, both = x.width, torch.zeros(1 + x.width + y.width, 1 + x.width, dtype=torch.float64)
    for start in range(0, len(x), EXAMPLES):
        rows = range(start, min(start + EXAMPLES, len(x)))
        first, second = (torch.cat([store[i] for i in rows]).double() for store in (x, y))
        if generator is not None:
            second = second[torch.randperm(len(second), generator=generator)]
        left = torch.cat([torch.ones(len(first), 1, dtype=torch.float64), first], dim=1)
        both += torch.cat([left, second], dim=1).T @ left
    if centred:  # sum (x - mean)(y - mean)^T = sum x y^T - (sum x)(sum y)^T / n
        both = both - torch.outer(both[:, 0], both[0]) / both[0, 0]
    return Moments(both[1 : 1 + n, 1:], both[1 + n :, 1:].T)
