"""Divergence from the teacher's distribution over the shared tokens: forward KL (Hinton et al. 2015), reverse KL."""

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from semalign.models.architecture import Architecture
from semalign.models.precision import wide
from semalign.settings import TransferSettings
from semalign.targets.supervision import Batch, TeacherHead
from semalign.training.losses import kl_divergences
from semalign.training.output_terms import OUTPUT_TERMS, OutputTerm


@OUTPUT_TERMS.register("kl")
class KLTerm(OutputTerm):
    """``KL(p_T || p_S)`` in nats, at positions where the teacher has read the same text."""

    needs_teacher = True
    reverse: ClassVar[bool] = False

    def __init__(self, student: Architecture, settings: TransferSettings, teacher_head: TeacherHead | None) -> None:
        super().__init__(student, settings, teacher_head)
        if teacher_head is None:
            raise ValueError("a term on the teacher's logits needs the teacher's head and final states")
        self.teacher, self.teacher_ids, self.student_ids = teacher_head

    def forward(self, states: Float[Tensor, "n d"], batch: Batch) -> Float[Tensor, " n"]:
        """Return the divergence at every matched position."""
        with torch.no_grad():
            teacher_states = wide(batch.teacher_final.to(self.teacher.device))  # type: ignore[union-attr]
            teacher = self.teacher.logits(teacher_states, self.teacher_ids).to(states.device)
        student = self.student.logits(states, self.student_ids)  # (n, shared), columns as in the teacher's
        return kl_divergences(teacher, student, reverse=self.reverse)


@OUTPUT_TERMS.register("reverse_kl")
class ReverseKLTerm(KLTerm):
    """``KL(p_S || p_T)`` in nats, on the responses of the data instead of sampled ones (Gu et al. 2024)."""

    reverse = True
