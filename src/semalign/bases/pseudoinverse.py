"""The pseudoinverse of a tall matrix through its Gram matrix, exact to float64 and without a V-sized factorisation."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from scipy.linalg.lapack import dpocon
from torch import Tensor

CHUNK = 4096  # rows converted to float64 at once
WELL_CONDITIONED = 1e-10  # reciprocal condition of the Gram matrix above which Cholesky keeps six digits and more


class Pseudoinverse(NamedTuple):
    """The pseudoinverse of a Gram matrix.

    Attributes:
        inverse: ``(W^T W)^+``, shape (D, D), float64.
        method: how it was found, ``cholesky`` or ``eigen``.
        rank: numerical rank of W.
    """

    inverse: Float[Tensor, "d d"]
    method: str
    rank: int


def gram(weight: Float[Tensor, "v d"]) -> Float[Tensor, "d d"]:
    """Return ``W^T W`` in float64, added up over chunks of rows, so that no float64 copy of W is made."""
    total = torch.zeros(weight.shape[1], weight.shape[1], dtype=torch.float64, device=weight.device)
    for rows in weight.split(CHUNK):
        rows = rows.double()
        total.addmm_(rows.T, rows)
    return total


def gram_pseudoinverse(weight: Float[Tensor, "v d"], rtol: float = 1e-6) -> Pseudoinverse:
    """Return ``(W^T W)^+`` in float64.

    Cholesky where the Gram matrix is well conditioned. Otherwise its eigendecomposition, in which singular values of
    W at most ``rtol`` times the largest count as zero: float64 cannot resolve much less from a Gram matrix.

    Args:
        weight: a matrix W of shape (V, D).
        rtol: relative singular-value cut-off of the fallback.
    """
    square = gram(weight)
    factor, failed = torch.linalg.cholesky_ex(square)
    if not failed and _reciprocal_condition(square, factor) > WELL_CONDITIONED:
        return Pseudoinverse(torch.cholesky_inverse(factor), "cholesky", square.shape[0])
    eigenvalues, eigenvectors = torch.linalg.eigh(square)
    kept = eigenvalues > rtol**2 * eigenvalues.amax().clamp_min(torch.finfo(torch.float64).tiny)
    basis = eigenvectors[:, kept]
    return Pseudoinverse((basis / eigenvalues[kept]) @ basis.T, "eigen", int(kept.sum()))


def _reciprocal_condition(square: Float[Tensor, "d d"], factor: Float[Tensor, "d d"]) -> float:
    """Estimate the reciprocal 1-norm condition number from the Cholesky factor (LAPACK's ``pocon``)."""
    norm = torch.linalg.matrix_norm(square, ord=1).item()
    estimate, info = dpocon(factor.cpu().numpy(), norm, uplo="L")
    return float(estimate) if info == 0 else 0.0
