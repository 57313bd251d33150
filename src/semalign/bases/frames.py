"""The frame operator of a semantic basis, and how it turns a state that has no preferred direction (Section 3.2)."""

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from semalign.bases.basis import CHUNK, SemanticBasis


def frame_operator(basis: SemanticBasis) -> Float[Tensor, "d d"]:
    """Return ``F = S S^T``, the sum of ``s_i s_i^T`` over unit atoms, in float64.

    The resultant of h's components is ``sum_i proj(h, s_i) = F h``: decomposition and recomposition in one
    space, without the m coefficients.
    """
    width = basis.vectors.shape[1]
    total = torch.zeros(width, width, dtype=torch.float64, device=basis.vectors.device)
    for vectors in basis.vectors.split(CHUNK):
        unit = normalize(vectors.double(), dim=-1)
        total.addmm_(unit.T, unit)
    return total


def isotropic_cosine(frame: Float[Tensor, "d d"]) -> float:
    """Return the cosine of h and F h to expect for a state without any preferred direction.

    ``E[h^T F h] / sqrt(E|h|^2 E|F h|^2) = tr F / sqrt(D tr F^2)``: the value that follows from the frame alone,
    for comparison with real states.
    """
    return float(frame.trace() / (math.sqrt(len(frame)) * frame.norm()))


def random_basis_cosine(m: int, d: int) -> float:
    """Return the cosine of h and F h to expect for ``m`` random directions in ``d`` dimensions.

    With ``E[h^T F h] = m/D`` and ``E|F h|^2 = m/D + m(m-1)/D^2`` for unit h, the ratio of the expectations is
    ``sqrt(m / (m + D - 1))``, close to ``1 / sqrt(1 + D/m)``: many random vectors are nearly a tight frame.
    """
    return math.sqrt(m / (m + d - 1))
