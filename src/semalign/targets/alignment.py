"""Latent semantic alignment (Section 4.2): decompose in the teacher's basis, recompose in the student's."""

import torch
from jaxtyping import Float
from torch import Tensor

from semalign.bases.basis import SemanticBasis
from semalign.models.evaluating import plain_torch
from semalign.targets.vocabularies import shared_atoms

CHUNK = 4096  # atoms converted to float64 at once


def decompose(hidden_states: Float[Tensor, "*batch d"], unit_basis: Float[Tensor, "m d"]) -> Float[Tensor, "*batch m"]:
    """Return the semantic coefficients ``a = S^T h / |h|``, the cosines of h with all atoms (Eq. 1).

    Args:
        hidden_states: teacher states h, shape (..., D_T).
        unit_basis: the teacher's basis S with atoms of unit length, shape (m, D_T): :attr:`SemanticBasis.unit`.
    """
    return torch.nn.functional.normalize(hidden_states, dim=-1) @ unit_basis.T


def recompose(coefficients: Float[Tensor, "*batch m"], unit_basis: Float[Tensor, "m d"]) -> Float[Tensor, "*batch d"]:
    """Return the supervisory states ``h~ = S a`` (Eq. 2).

    Args:
        coefficients: semantic coefficients a, shape (..., m).
        unit_basis: the student's basis S with atoms of unit length, shape (m, D_S), in the same order.
    """
    return coefficients @ unit_basis


@plain_torch(gradients=False)
def alignment_map(teacher_basis: SemanticBasis, student_basis: SemanticBasis) -> Float[Tensor, "d_teacher d_student"]:
    """Return the operator M that combines Eq. 1 and Eq. 2 in one product: ``target = h @ M``.

    ``M = S_T S_S^T``, shape (D_T, D_S), for row vectors h. It is a sum over shared atoms of the outer products
    ``s_i^T (s_i^S)^T``, computed in float64. For every h, ``recompose(decompose(h)) = h @ M / |h|``. Both give the
    same target up to scale, which a cosine ignores, but M avoids computing the m-dimensional coefficients.

    Raises:
        ValueError: if the two models share too few atoms (see :func:`semalign.shared_atoms`).
    """
    teacher_atoms, student_atoms = shared_atoms(teacher_basis, student_basis)
    shape = teacher_basis.vectors.shape[1], student_basis.vectors.shape[1]
    total = torch.zeros(shape, dtype=torch.float64, device=student_basis.vectors.device)
    # S_T S_S^T, one chunk of atoms at a time: (D_T, chunk) @ (chunk, D_S).
    for rows_t, rows_s in zip(teacher_atoms.split(CHUNK), student_atoms.split(CHUNK), strict=True):
        total.addmm_(_unit_rows(teacher_basis, rows_t).to(total.device).T, _unit_rows(student_basis, rows_s))
    return total.to(student_basis.vectors.dtype)


def _unit_rows(basis: SemanticBasis, rows: Tensor) -> Tensor:
    return torch.nn.functional.normalize(basis.vectors[rows].double(), dim=-1)
