"""An orthogonal map, fitted on the states of the training rows at the paired layers (Schönemann 1966)."""

import torch
from jaxtyping import Float
from torch import Tensor

from semalign.settings import TransferSettings
from semalign.targets.maps import alignment_map
from semalign.targets.moments import Moments, moments
from semalign.targets.store import States


@alignment_map("procrustes", needs="states")
def procrustes_of_states(
    teacher: States, student: States, settings: TransferSettings
) -> Float[Tensor, "d_teacher d_student"]:
    """Return the Procrustes map from teacher states to student states."""
    return procrustes_map(moments(teacher, student, centred=settings.centre_targets))


def procrustes_map(fit: Moments) -> Float[Tensor, "d_x d_y"]:
    """Return the M with orthonormal columns (rows, if y is wider) that maximises ``tr(M^T X^T Y)``.

    ``M = U V^T`` from the singular value decomposition ``X^T Y = U S V^T``; the two widths may differ. Where there are
    fewer states than dimensions, every rotation between the directions with a singular value of zero would do as
    well. These directions are mapped to zero, so that the states alone decide what M is.
    """
    u, values, vh = torch.linalg.svd(fit.xy, full_matrices=False)
    told = values > values[0] * max(fit.xy.shape) * torch.finfo(values.dtype).eps
    return u * told @ vh
