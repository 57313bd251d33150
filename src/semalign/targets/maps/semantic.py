"""The paper's map, from atom i of the teacher's basis to atom i of the student's (Section 4.2)."""

from jaxtyping import Float
from torch import Tensor

from semalign.bases.inverted_head import InvertedHead
from semalign.settings import TransferSettings
from semalign.targets import alignment
from semalign.targets.maps import alignment_map


@alignment_map("semantic", needs="inverted_heads", atoms="paired")
def semantic_map(
    teacher: InvertedHead, student: InvertedHead, settings: TransferSettings
) -> Float[Tensor, "d_teacher d_student"]:
    """Return ``M = S_T S_S^T`` over the shared atoms: :func:`semalign.alignment_map`."""
    return alignment.alignment_map(teacher, student)
