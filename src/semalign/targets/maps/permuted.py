"""Controls: maps whose correspondence is permuted, so that the geometry of both spaces stays and the meaning goes.

The maps that come from the two models pair a token with another token of the student; those that are fitted on states
pair a position with another position.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from semalign.bases.inverted_head import InvertedHead
from semalign.settings import TransferSettings
from semalign.targets import alignment
from semalign.targets.maps import alignment_map
from semalign.targets.maps.least_squares import least_squares_map
from semalign.targets.maps.procrustes import procrustes_map
from semalign.targets.maps.ridge import ridge_map
from semalign.targets.moments import moments
from semalign.targets.store import States


@alignment_map("permuted", needs="inverted_heads", atoms="permuted")
def permuted_map(
    teacher: InvertedHead, student: InvertedHead, settings: TransferSettings
) -> Float[Tensor, "d_teacher d_student"]:
    """Return the semantic map after a permutation of the student's atoms, seeded by the settings."""
    return alignment.alignment_map(teacher, student.permuted(settings.seed))


@alignment_map("permuted_least_squares", needs="heads")
def permuted_least_squares(
    teacher: Float[Tensor, "shared d_teacher"], student: Float[Tensor, "shared d_student"], settings: TransferSettings
) -> Float[Tensor, "d_teacher d_student"]:
    """Return the logit-preserving map after a permutation of the rows of the student's head."""
    order = torch.randperm(len(student), generator=torch.Generator().manual_seed(settings.seed))
    return least_squares_map(teacher, student[order.to(student.device)])


@alignment_map("permuted_procrustes", needs="states")
def permuted_procrustes(
    teacher: States, student: States, settings: TransferSettings
) -> Float[Tensor, "d_teacher d_student"]:
    """Return the Procrustes map of states whose positions do not belong together."""
    return procrustes_map(moments(teacher, student, centred=settings.centre_targets, shuffled=settings.seed))


@alignment_map("permuted_ridge", needs="states")
def permuted_ridge(
    teacher: States, student: States, settings: TransferSettings
) -> Float[Tensor, "d_teacher d_student"]:
    """Return the ridge map of states whose positions do not belong together."""
    shuffled = moments(teacher, student, centred=settings.centre_targets, shuffled=settings.seed)
    return ridge_map(shuffled, settings.ridge_penalty)
