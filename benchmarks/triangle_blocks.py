"""The inverse of a matrix from its Cholesky factor by products of blocks: a form that was tried, for ``tried.py``."""

import torch
from torch import Tensor

BLOCK = 512  # columns of a block on the diagonal


def inverse(factor: Tensor) -> Tensor:
    """Return ``(L L^T)^-1 = L^-T L^-1`` of a lower triangle L; of L^-1, rows above a block's first are zero."""
    lower = factor.clone()
    invert_triangle_(lower)
    found = torch.empty_like(lower)
    for start in range(0, len(lower), BLOCK):
        rows, columns = lower[start:], slice(start, start + BLOCK)
        found[columns, : start + BLOCK] = rows[:, columns].T @ rows[:, : start + BLOCK]
        found[:start, columns] = found[columns, :start].T
    return found


def invert_triangle_(lower: Tensor) -> None:
    """Invert a lower triangle in place, by halves: ``[[A, 0], [B, C]]`` becomes ``[[A', 0], [-C' B A', C']]``."""
    if len(lower) <= BLOCK:
        unit = torch.eye(len(lower), dtype=lower.dtype)
        lower.copy_(torch.linalg.solve_triangular(lower, unit, upper=False))
        return
    middle = len(lower) // 2
    upper_left, lower_left, lower_right = lower[:middle, :middle], lower[middle:, :middle], lower[middle:, middle:]
    invert_triangle_(upper_left)
    invert_triangle_(lower_right)
    lower_left.copy_(-(lower_right @ (lower_left @ upper_left)))
