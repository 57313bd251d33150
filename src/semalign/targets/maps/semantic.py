"""The paper's map, from atom i of the teacher's basis to atom i of the student's (Section 4.2)."""

from jaxtyping import Float
from torch import Tensor

from semalign.bases.basis import SemanticBasis
from semalign.settings import TransferSettings
from semalign.targets import alignment
from semalign.targets.maps import alignment_map


@alignment_map("semantic", needs="bases")
def semantic_map(
    teacher: SemanticBasis, student: SemanticBasis, settings: TransferSettings
) -> Float[Tensor, "d_teacher d_student"]:
    """Return ``M = S_T S_S^T`` over the shared atoms: :func:`semalign.alignment_map`."""
    return alignment.alignment_map(teacher, student)
