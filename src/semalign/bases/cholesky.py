"""The inverse of a matrix from its Cholesky factor, by products of blocks.

It needs as few operations as LAPACK's ``potri``, which ``torch.cholesky_inverse`` calls. Nearly all of them are in
products of matrices, which run on all processors.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from semalign.bases.gram import BLOCK, lower_blocks, mirror


def inverse(factor: Float[Tensor, "d d"]) -> Float[Tensor, "d d"]:
    """Return ``(L L^T)^-1 = L^-T L^-1`` of a lower triangle L, at about D^3 operations.

    A block of columns of L^-1 is zero above its first row, so that only the rows below are multiplied.

    Args:
        factor: L, with zeros above the diagonal; it is overwritten with L^-1.
    """
    invert_triangle_(factor)
    found = torch.empty_like(factor)
    for low, high in lower_blocks(0, len(factor)):
        rows = factor[low.start :]
        found[low, high] = rows[:, low].T @ rows[:, high]
    mirror(found)
    return found


def invert_triangle_(lower: Float[Tensor, "d d"]) -> None:
    """Invert a lower triangle in place, by halves: ``[[A, 0], [B, C]]`` becomes ``[[A', 0], [-C' B A', C']]``."""
    if len(lower) <= BLOCK:
        unit = torch.eye(len(lower), dtype=lower.dtype, device=lower.device)
        lower.copy_(torch.linalg.solve_triangular(lower, unit, upper=False))
        return
    middle = len(lower) // 2
    upper_left, lower_left, lower_right = lower[:middle, :middle], lower[middle:, :middle], lower[middle:, middle:]
    invert_triangle_(upper_left)
    invert_triangle_(lower_right)
    lower_left.copy_(-(lower_right @ (lower_left @ upper_left)))
