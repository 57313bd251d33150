"""The map that preserves logits best, ``W_S^+ W_T``, so that the student's head reproduces the teacher's logits."""

import torch
from jaxtyping import Float
from torch import Tensor

from semalign.bases.gram import CHUNK
from semalign.bases.pseudoinverse import gram_pseudoinverse
from semalign.settings import TransferSettings
from semalign.targets.maps import alignment_map


@alignment_map("least_squares", needs="heads")
def logit_preserving_map(
    teacher: Float[Tensor, "shared d_teacher"], student: Float[Tensor, "shared d_student"], settings: TransferSettings
) -> Float[Tensor, "d_teacher d_student"]:
    """Return the least-squares map between the two LM heads: :func:`least_squares_map`."""
    return least_squares_map(teacher, student)


def least_squares_map(
    teacher_head: Float[Tensor, "shared d_teacher"], student_head: Float[Tensor, "shared d_student"]
) -> Float[Tensor, "d_teacher d_student"]:
    """Return the map that preserves logits best: ``h @ M = W_S^+ W_T h``, so ``M = W_T^T W_S (W_S^T W_S)^+``.

    Of all student states, ``h @ M`` is the one with logits ``W_S (h @ M)`` nearest to ``W_T h``. The result is
    float64.

    Args:
        teacher_head: rows of the teacher's LM head W_T for the shared tokens, shape (shared, D_T).
        student_head: rows of the student's LM head W_S in the same order, shape (shared, D_S).
    """
    inverse = gram_pseudoinverse(student_head).inverse
    parts = zip(teacher_head.split(CHUNK), student_head.split(CHUNK), strict=True)
    cross = torch.zeros(teacher_head.shape[1], student_head.shape[1], dtype=torch.float64, device=student_head.device)
    for rows_t, rows_s in parts:  # W_T^T W_S, one chunk of tokens at a time
        cross.addmm_(rows_t.to(cross.device).double().T, rows_s.double())
    return cross @ inverse
