"""Maps from the teacher's space to the student's besides the semantic one; all act as ``target = h @ M``.

Two kinds: maps that follow from the two LM heads alone, and maps fitted on states of the training rows.
"""

from dataclasses import replace
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from semalign.bases.basis import SemanticBasis
from semalign.bases.pseudoinverse import CHUNK, gram_pseudoinverse
from semalign.targets.alignment import alignment_map
from semalign.targets.store import StateStore

EXAMPLES = 64  # examples converted to float64 at once


def random_map(
    teacher_basis: SemanticBasis, student_basis: SemanticBasis, seed: int = 0
) -> Float[Tensor, "d_teacher d_student"]:
    """Return the alignment map of two bases of Gaussian vectors, of the same sizes and with the same tokens.

    The vectors of a token in the two spaces are drawn apart: nothing but the two sizes is left of the models.
    """
    drawn = []
    for i, basis in enumerate((teacher_basis, student_basis)):
        m, d = basis.vectors.shape
        drawn.append(replace(basis, vectors=SemanticBasis.random(m, d, 2 * seed + i).vectors))
    return alignment_map(*drawn)


def least_squares_map(
    teacher_head: Float[Tensor, "shared d_teacher"], student_head: Float[Tensor, "shared d_student"]
) -> Float[Tensor, "d_teacher d_student"]:
    """Return the map that preserves logits best: ``h @ M = W_S^+ W_T h``, so ``M = W_T^T W_S (W_S^T W_S)^+``.

    Of all student states, ``h @ M`` is the one whose logits ``W_S (h @ M)`` are nearest to ``W_T h``. In float64.

    Args:
        teacher_head: rows of the teacher's LM head W_T for the shared tokens.
        student_head: rows of the student's, in the same order.
    """
    inverse, _, _ = gram_pseudoinverse(student_head)
    parts = zip(teacher_head.split(CHUNK), student_head.split(CHUNK), strict=True)
    cross = torch.zeros(teacher_head.shape[1], student_head.shape[1], dtype=torch.float64, device=student_head.device)
    for rows_t, rows_s in parts:
        cross.addmm_(rows_t.to(cross.device).double().T, rows_s.double())
    return cross @ inverse


class Moments(NamedTuple):
    """What linear maps from x to y are fitted from, sums over positions in float64."""

    xx: Float[Tensor, "d_x d_x"]
    xy: Float[Tensor, "d_x d_y"]


def moments(x: StateStore, y: StateStore, *, centred: bool = False) -> Moments:
    """Return ``X^T X`` and ``X^T Y`` of two stores that hold states of the same positions, read as a stream.

    Args:
        x: states to map from.
        y: states to map to.
        centred: take the means of all positions off first.
    """
    n, both = x.width, torch.zeros(1 + x.width + y.width, 1 + x.width, dtype=torch.float64)
    for start in range(0, len(x), EXAMPLES):
        rows = range(start, min(start + EXAMPLES, len(x)))
        first, second = (torch.cat([store[i] for i in rows]).double() for store in (x, y))
        left = torch.cat([torch.ones(len(first), 1, dtype=torch.float64), first], dim=1)
        both += torch.cat([left, second], dim=1).T @ left
    if centred:  # row and column 0 hold the number of positions and the sums
        both = both - torch.outer(both[:, 0], both[0]) / both[0, 0]
    return Moments(both[1 : 1 + n, 1:], both[1 + n :, 1:].T)


def ridge_map(fit: Moments, penalty: float) -> Float[Tensor, "d_x d_y"]:
    """Return the M that minimises ``|X M - Y|^2 + lambda |M|^2``, lambda being ``penalty`` times the mean square of X.

    ``M = (X^T X + lambda I)^-1 X^T Y`` with ``lambda = penalty * trace(X^T X) / D``.
    """
    strength = penalty * fit.xx.trace() / len(fit.xx)
    return torch.linalg.solve(fit.xx + strength * torch.eye(len(fit.xx), dtype=fit.xx.dtype), fit.xy)


def procrustes_map(fit: Moments) -> Float[Tensor, "d_x d_y"]:
    """Return the M with orthonormal columns (rows, if y is wider) for which ``tr(M^T X^T Y)`` is largest.

    ``M = U V^T`` of the singular value decomposition ``X^T Y = U S V^T`` (Schönemann 1966), for widths that may differ.
    """
    u, _, vh = torch.linalg.svd(fit.xy, full_matrices=False)
    return u @ vh
