"""A control: the student's atoms are permuted, so that a token has another token's vector in the student."""

from jaxtyping import Float
from torch import Tensor

from semalign.bases.inverted_head import InvertedHead
from semalign.settings import TransferSettings
from semalign.targets import alignment
from semalign.targets.maps import alignment_map


@alignment_map("permuted", needs="inverted_heads")
def permuted_map(
    teacher: InvertedHead, student: InvertedHead, settings: TransferSettings
) -> Float[Tensor, "d_teacher d_student"]:
    """Return the semantic map after a permutation of the student's atoms, seeded by the settings."""
    return alignment.alignment_map(teacher, student.permuted(settings.seed))
