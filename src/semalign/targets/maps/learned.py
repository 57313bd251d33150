"""A projection from the student's space to the teacher's that trains with the adapter and is not kept (TED)."""

from jaxtyping import Float
from torch import Tensor

from semalign.settings import TransferSettings
from semalign.targets.maps import alignment_map
from semalign.targets.maps.ridge import ridge_map
from semalign.targets.moments import moments
from semalign.targets.store import StateStore


@alignment_map("learned", needs="states", into="teacher")
def learned_projection(
    teacher: StateStore, student: StateStore, settings: TransferSettings
) -> Float[Tensor, "d_student d_teacher"]:
    """Return the first value of the projection: the ridge map from student states to teacher states.

    TED (Liang et al. 2023) first trains its filters with both models frozen; for a linear one this is the solution.
    """
    return ridge_map(moments(student, teacher, centred=settings.centre_targets), settings.ridge_penalty)
