"""A control: Gaussian vectors replace both bases, so that only the sizes of the models remain."""

from jaxtyping import Float
from torch import Tensor

from semalign.bases.basis import SemanticBasis
from semalign.bases.inverted_head import InvertedHead
from semalign.settings import TransferSettings
from semalign.targets import alignment
from semalign.targets.maps import alignment_map
from semalign.targets.vocabularies import Basis


@alignment_map("random", needs="inverted_heads", atoms="shared")
def random_bases_map(
    teacher: InvertedHead, student: InvertedHead, settings: TransferSettings
) -> Float[Tensor, "d_teacher d_student"]:
    """Return the random map of two bases with the seed of the settings: :func:`random_map`."""
    return random_map(teacher, student, settings.seed)


def random_map(teacher_basis: Basis, student_basis: Basis, seed: int = 0) -> Float[Tensor, "d_teacher d_student"]:
    """Return the alignment map of two bases of Gaussian vectors, of the same sizes and with the same tokens.

    A token's vectors in the two spaces are independent.
    """
    drawn = []
    for i, basis in enumerate((teacher_basis, student_basis)):
        vectors = SemanticBasis.random(len(basis.token_ids), basis.width, 2 * seed + i).vectors
        drawn.append(SemanticBasis(vectors, basis.token_ids, basis.tokens, keys=basis.keys))
    return alignment.alignment_map(*drawn)
