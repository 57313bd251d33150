"""Latent semantic alignment (Section 4.2): decompose in the teacher's basis, recompose in the student's."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from semalign.bases.precision import full_float32
from semalign.models.evaluating import plain_torch
from semalign.targets.vocabularies import Basis, shared_atoms

CHUNK = 4096  # atoms multiplied at once
COEFFICIENTS = 2**24  # in memory at once: 64 MiB


def decompose(hidden_states: Float[Tensor, "*batch d"], unit_basis: Float[Tensor, "m d"]) -> Float[Tensor, "*batch m"]:
    """Return the semantic coefficients ``a = S^T h / |h|``, the cosines of h with all atoms (Eq. 1).

    Args:
        hidden_states: teacher states h, shape (..., D_T).
        unit_basis: the teacher's basis S with atoms of unit length, shape (m, D_T): :attr:`SemanticBasis.unit`.
    """
    return normalize(hidden_states, dim=-1) @ unit_basis.T


def recompose(coefficients: Float[Tensor, "*batch m"], unit_basis: Float[Tensor, "m d"]) -> Float[Tensor, "*batch d"]:
    """Return the supervisory states ``h~ = S a`` (Eq. 2).

    Args:
        coefficients: semantic coefficients a, shape (..., m).
        unit_basis: the student's basis S with atoms of unit length, shape (m, D_S), in the same order.
    """
    return coefficients @ unit_basis


@dataclass(frozen=True)
class AtomAlignment:
    """Targets whose coefficients are changed between Eq. 1 and Eq. 2, which no single product can give.

    Attributes:
        teacher: unit atoms of the teacher, shape (m, D_T).
        student: unit atoms of the student for the same tokens, shape (m, D_S).
        kept: how many coefficients of a state are kept, those of the largest magnitude; None: all.
        temperature: of the softmax that makes probabilities of the cosines; None: the cosines themselves.
    """

    teacher: Float[Tensor, "m d_teacher"]
    student: Float[Tensor, "m d_student"]
    kept: int | None = None
    temperature: float | None = None

    @classmethod
    @plain_torch(gradients=False)
    def of(
        cls, teacher_basis: Basis, student_basis: Basis, kept: int | None = None, temperature: float | None = None
    ) -> "AtomAlignment":
        """Return the alignment of the atoms that two bases share; it raises as :func:`alignment_map` does."""
        atoms = shared_atoms(teacher_basis, student_basis)
        units = (
            normalize(basis.rows(part), dim=-1)
            for basis, part in zip((teacher_basis, student_basis), atoms, strict=True)
        )
        teacher, student = units
        return cls(teacher.to(student), student, kept, temperature)

    def targets(self, states: Float[Tensor, "n d_teacher"]) -> Float[Tensor, "n d_student"]:
        """Return ``|h| S_S a'`` for each state h, where a' comes from the coefficients a of Eq. 1, some at a time.

        With a temperature T, ``a'_i = exp(a_i / T) / sum_j exp(a_j / T)``: the state's semantics as probabilities on
        the vocabulary, near zero those of the nearest atom alone. Of these, or of the cosines, ``kept`` leaves the
        largest in magnitude, and zeros. With all cosines kept the target is ``h @ M``.
        """
        at_once = max(1, COEFFICIENTS // len(self.teacher))
        return torch.cat([self._targets(part) for part in states.split(at_once)])

    def _targets(self, states: Float[Tensor, "n d_teacher"]) -> Float[Tensor, "n d_student"]:
        coefficients = decompose(states, self.teacher)
        if self.temperature is not None:
            coefficients = (coefficients / self.temperature).softmax(-1)
        if self.kept is not None:
            largest = coefficients.abs().topk(min(self.kept, len(self.teacher)), dim=-1).indices
            coefficients = torch.zeros_like(coefficients).scatter(-1, largest, coefficients.gather(-1, largest))
        return states.norm(dim=-1, keepdim=True) * recompose(coefficients, self.student)


@plain_torch(gradients=False)
@full_float32()
def alignment_map(teacher_basis: Basis, student_basis: Basis) -> Float[Tensor, "d_teacher d_student"]:
    """Return the operator M that combines Eq. 1 and Eq. 2 in one product: ``target = h @ M``.

    ``M = S_T S_S^T``, shape (D_T, D_S), for row vectors h. It is a sum over shared atoms of the outer products
    ``s_i^T (s_i^S)^T`` of unit vectors, in the bases' type over some thousand atoms and in float64 over those sums. For
    every h, ``recompose(decompose(h)) = h @ M / |h|``. Both give the same target up to scale, which a cosine ignores,
    but M avoids computing the m-dimensional coefficients. Of a :class:`semalign.bases.inverted_head.InvertedHead`, the
    vectors are made chunk by chunk, and never all in memory.

    Raises:
        ValueError: if the two models share too few atoms (see :func:`semalign.shared_atoms`).
    """
    teacher_atoms, student_atoms = shared_atoms(teacher_basis, student_basis)
    like = student_basis.rows(student_atoms[:0])  # for type and device
    total = like.new_zeros(teacher_basis.width, student_basis.width, dtype=torch.float64)
    # S_T S_S^T, one chunk of atoms at a time: (D_T, chunk) @ (chunk, D_S).
    for atoms_t, atoms_s in zip(teacher_atoms.split(CHUNK), student_atoms.split(CHUNK), strict=True):
        unit_t = normalize(teacher_basis.rows(atoms_t).to(like), dim=-1)
        total += unit_t.T @ normalize(student_basis.rows(atoms_s), dim=-1)
    return total.to(like.dtype)
