"""A control: Gaussian vectors replace both bases, so that only the sizes of the models remain."""

from dataclasses import replace

from jaxtyping import Float
from torch import Tensor

from semalign.bases.basis import SemanticBasis
from semalign.settings import TransferSettings
from semalign.targets import alignment
from semalign.targets.maps import alignment_map


@alignment_map("random", needs="bases")
def random_bases_map(
    teacher: SemanticBasis, student: SemanticBasis, settings: TransferSettings
) -> Float[Tensor, "d_teacher d_student"]:
    """Return the random map of two bases with the seed of the settings: :func:`random_map`."""
    return random_map(teacher, student, settings.seed)


def random_map(
    teacher_basis: SemanticBasis, student_basis: SemanticBasis, seed: int = 0
) -> Float[Tensor, "d_teacher d_student"]:
    """Return the alignment map of two bases of Gaussian vectors, of the same sizes and with the same tokens.

    A token's vectors in the two spaces are independent.
    """
    drawn = []
    for i, basis in enumerate((teacher_basis, student_basis)):
        m, d = basis.vectors.shape
        drawn.append(replace(basis, vectors=SemanticBasis.random(m, d, 2 * seed + i).vectors))
    return alignment.alignment_map(*drawn)
