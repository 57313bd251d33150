"""Latent semantic alignment (Section 4.2): decompose in the teacher's basis, recompose in the student's."""

import logging

import torch
from jaxtyping import Float, Int
from torch import Tensor

from semalign.bases.basis import SemanticBasis
from semalign.models.evaluating import plain_torch

logger = logging.getLogger(__name__)
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
        ValueError: if the two models share too few atoms (see :func:`shared_atoms`).
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


def shared_atoms(
    teacher_basis: SemanticBasis, student_basis: SemanticBasis
) -> tuple[Int[Tensor, " shared"], Int[Tensor, " shared"]]:
    """Return the atoms that two models share, as positions in the teacher's and in the student's basis.

    Atoms match by token string, not by id, so vocabularies may differ in order or size. If a basis has no token
    strings, two bases of equal size match by position. The number of shared atoms is logged.

    Raises:
        ValueError: if bases without token strings differ in size, or if fewer atoms are shared than the wider space
            has dimensions, because the map could then not distinguish all directions.
    """
    if teacher_basis.tokens is None or student_basis.tokens is None:
        positions = _by_position(teacher_basis, student_basis)
    else:
        positions = _by_token(teacher_basis.tokens, student_basis.tokens)
    n_shared, needed = len(positions[0]), max(teacher_basis.vectors.shape[1], student_basis.vectors.shape[1])
    sizes = f"{n_shared} shared atoms; teacher {len(teacher_basis.vectors)}, student {len(student_basis.vectors)}"
    if n_shared < needed:
        raise ValueError(
            f"too few shared tokens: {sizes}; at least {needed}, the wider hidden size, are needed. "
            "Choose a teacher and a student whose tokenizers have more tokens in common."
        )
    logger.info(sizes)
    return positions


def _by_position(teacher_basis: SemanticBasis, student_basis: SemanticBasis) -> tuple[Tensor, Tensor]:
    sizes = len(teacher_basis.vectors), len(student_basis.vectors)
    if sizes[0] != sizes[1]:
        raise ValueError(
            f"bases of {sizes[0]} and {sizes[1]} atoms cannot be matched without token strings: "
            "make them with SemanticBasis.from_model(load_model(...))"
        )
    return torch.arange(sizes[0]), torch.arange(sizes[0])


def _by_token(teacher_tokens: tuple[str, ...], student_tokens: tuple[str, ...]) -> tuple[Tensor, Tensor]:
    position = {token: i for i, token in enumerate(student_tokens)}
    pairs = [(i, position[token]) for i, token in enumerate(teacher_tokens) if token in position]
    matrix = torch.tensor(pairs, dtype=torch.long).reshape(-1, 2)
    return matrix[:, 0], matrix[:, 1]
