"""A map fitted by ridge regression on the states of the training rows at the paired layers."""

import torch
from jaxtyping import Float
from torch import Tensor

from semalign.settings import TransferSettings
from semalign.targets.maps import alignment_map
from semalign.targets.moments import Moments, moments
from semalign.targets.store import States


@alignment_map("ridge", needs="states")
def ridge_of_states(
    teacher: States, student: States, settings: TransferSettings
) -> Float[Tensor, "d_teacher d_student"]:
    """Return the ridge map from teacher states to student states."""
    return ridge_map(moments(teacher, student, centred=settings.centre_targets), settings.ridge_penalty)


def ridge_map(fit: Moments, penalty: float) -> Float[Tensor, "d_x d_y"]:
    """Return the M that minimises ``|X M - Y|^2 + lambda |M|^2``, lambda relative to the scale of X.

    ``M = (X^T X + lambda I)^-1 X^T Y`` with ``lambda = penalty * trace(X^T X) / D``.
    """
    strength = penalty * fit.xx.trace() / len(fit.xx)
    return torch.linalg.solve(fit.xx + strength * torch.eye(len(fit.xx), dtype=fit.xx.dtype), fit.xy)
