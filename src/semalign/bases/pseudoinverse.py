"""The pseudoinverse of a tall matrix through D x D matrices, in float64 and without a V-sized factorisation."""

from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from scipy.linalg.lapack import dpocon
from torch import Tensor

from semalign.bases.gram import gram

CHUNK = 4096  # rows of W that join the triangle of its QR decomposition at once
WELL_CONDITIONED = 1e-10  # reciprocal condition of the Gram matrix above which Cholesky keeps six digits and more
RESOLVED = 1e-6  # relative singular values that the Gram matrix resolves: its own are their squares
RTOL = 1e-6
ESTIMATE = 10.0  # the estimated condition is seldom further than this below the true one

Cutoff = float | Literal["pinv"]


class Pseudoinverse(NamedTuple):
    """The pseudoinverse of a Gram matrix.

    Attributes:
        inverse: ``(W^T W)^+``, shape (D, D), float64.
        method: how it was found: ``cholesky``, ``eigen``, or ``svd`` for a cut-off that is too small for the others.
        rank: numerical rank of W.
        gram: ``W^T W`` itself, shape (D, D), float64.
    """

    inverse: Float[Tensor, "d d"]
    method: str
    rank: int
    gram: Float[Tensor, "d d"]


def cutoff(weight: Float[Tensor, "v d"], rtol: Cutoff = RTOL) -> float:
    """Return a relative cut-off as a number; ``"pinv"`` is that of ``torch.linalg.pinv``, ``max(V, D) * eps``.

    ``eps`` is that of W's type, of float32 for smaller types, in which there is no ``pinv``.

    Raises:
        ValueError: for anything else that is not from 0 to below 1.
    """
    if rtol == "pinv":
        return max(weight.shape) * torch.finfo(torch.promote_types(weight.dtype, torch.float32)).eps
    if not isinstance(rtol, int | float) or isinstance(rtol, bool) or not 0 <= rtol < 1:
        raise ValueError(f"rtol must be a number from 0 to below 1, or 'pinv'; it is {rtol!r}")
    return float(rtol)


def gram_pseudoinverse(weight: Float[Tensor, "v d"], rtol: Cutoff = RTOL) -> Pseudoinverse:
    """Return ``(W^T W)^+`` in float64; singular values of W that are at most ``rtol`` times the largest count as zero.

    If none of them does, and the Gram matrix is well conditioned, the inverse comes from its Cholesky factor. Else it
    comes from the Gram matrix's eigendecomposition. The Gram matrix's condition is that of W squared, so that float64
    cannot tell singular values below :data:`RESOLVED` from its rounding: for a smaller cut-off they come from
    the R of W's QR decomposition.

    Everything is in float64; :func:`semalign.bases.precision.semantic_pseudoinverse` is faster where that suffices.

    Args:
        weight: a matrix W of shape (V, D).
        rtol: see :func:`cutoff`.

    Raises:
        ValueError: for an ``rtol`` that is no cut-off.
    """
    limit = cutoff(weight, rtol)
    square = gram(weight)
    factor, reciprocal = _factor(square)
    if _is_regular(reciprocal, limit):
        return _by_cholesky(square, factor)
    if limit < RESOLVED:
        return _from_triangle(weight, square, limit)
    eigenvalues, eigenvectors = torch.linalg.eigh(square)
    kept = eigenvalues > limit**2 * eigenvalues.amax().clamp_min(torch.finfo(torch.float64).tiny)
    if kept.all() and reciprocal > WELL_CONDITIONED:
        return _by_cholesky(square, factor)
    basis = eigenvectors[:, kept]
    return Pseudoinverse((basis / eigenvalues[kept]) @ basis.T, "eigen", int(kept.sum()), square)


def regular_inverse(square: Float[Tensor, "d d"], limit: float) -> Pseudoinverse | None:
    """Return the inverse of a Gram matrix by Cholesky, or None unless all singular values are clear of the cut-off."""
    factor, reciprocal = _factor(square)
    return _by_cholesky(square, factor) if _is_regular(reciprocal, limit) else None


def _factor(square: Float[Tensor, "d d"]) -> tuple[Float[Tensor, "d d"], float]:
    """Return the Cholesky factor of a Gram matrix, and its estimated reciprocal condition, 0 if there is none."""
    factor, failed = torch.linalg.cholesky_ex(square)
    return factor, 0.0 if failed else _reciprocal_condition(square, factor)


def _is_regular(reciprocal: float, limit: float) -> bool:
    # The smallest squared singular value is at least `reciprocal` of the largest: their condition number is at most
    # that in the 1-norm.
    return reciprocal > WELL_CONDITIONED and reciprocal / ESTIMATE > limit**2


def _by_cholesky(square: Float[Tensor, "d d"], factor: Float[Tensor, "d d"]) -> Pseudoinverse:
    return Pseudoinverse(torch.cholesky_inverse(factor), "cholesky", len(square), square)


def _from_triangle(weight: Float[Tensor, "v d"], square: Float[Tensor, "d d"], limit: float) -> Pseudoinverse:
    """Return the pseudoinverse from the triangle R of ``W = Q R``, which has W's singular values unsquared."""
    triangle = weight.new_zeros(0, weight.shape[1], dtype=torch.float64)
    for rows in weight.split(CHUNK):
        triangle = torch.linalg.qr(torch.cat([triangle, rows.double()]), mode="r").R
    _, values, directions = torch.linalg.svd(triangle, full_matrices=False)
    kept = values > limit * values.amax().clamp_min(torch.finfo(torch.float64).tiny)
    scaled = directions[kept] / values[kept, None]
    return Pseudoinverse(scaled.T @ scaled, "svd", int(kept.sum()), square)


def _reciprocal_condition(square: Float[Tensor, "d d"], factor: Float[Tensor, "d d"]) -> float:
    """Estimate the reciprocal 1-norm condition number from the Cholesky factor (LAPACK's ``pocon``)."""
    norm = torch.linalg.matrix_norm(square, ord=1).item()
    estimate, info = dpocon(factor.cpu().numpy(), norm, uplo="L")
    return float(estimate) if info == 0 else 0.0
