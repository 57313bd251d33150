"""A projection from the student's space to the teacher's, trained with the adapter and then discarded (TED)."""

from jaxtyping import Float
from torch import Tensor

from semalign.settings import TransferSettings
from semalign.targets.maps import alignment_map
from semalign.targets.maps.ridge import ridge_map
from semalign.targets.moments import moments
from semalign.targets.store import States


@alignment_map("learned", needs="states", into="teacher")
def learned_projection(
    teacher: States, student: States, settings: TransferSettings
) -> Float[Tensor, "d_student d_teacher"]:
    """Return the initial value of the projection: the ridge map from student states to teacher states.

    TED (Liang et al. 2023) first trains its filters with both models frozen. For a linear filter, ridge regression is
    the solution of that stage.
    """
    return ridge_map(moments(student, teacher, centred=settings.centre_targets), settings.ridge_penalty)
