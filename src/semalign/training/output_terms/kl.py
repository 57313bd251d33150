"""Divergence from the teacher's distribution over the shared tokens: forward KL (Hinton et al. 2015), reverse KL."""

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from semalign.models.architecture import Architecture
from semalign.models.logit_losses import kl_of_logits
from semalign.models.precision import wide, wide_type
from semalign.models.token_losses import by_parts
from semalign.settings import TransferSettings
from semalign.targets.supervision import Batch, TeacherHead
from semalign.training.output_terms import OutputTerm, output_term


@output_term("kl", needs_teacher=True)
class KLTerm(OutputTerm):
    """``KL(p_T || p_S)`` in nats, at positions where the teacher has read the same text."""

    reverse: ClassVar[bool] = False

    def __init__(self, student: Architecture, settings: TransferSettings, teacher_head: TeacherHead | None) -> None:
        super().__init__(student, settings, teacher_head)
        if teacher_head is None:
            raise ValueError("a term on the teacher's logits needs the teacher's head and final states")
        self.teacher, self.teacher_ids, self.student_ids = teacher_head

    def forward(self, states: Float[Tensor, "n d"], batch: Batch) -> Float[Tensor, " n"]:
        """Return the divergence at every matched position."""
        ours = self.student.logits_of(states.dtype, self.student_ids)
        theirs = self.teacher.logits_of(wide_type(batch.teacher_final.dtype), self.teacher_ids)  # type: ignore[union-attr]

        def divergences(states: Tensor, teacher_states: Tensor) -> Tensor:
            with torch.no_grad():
                teacher = theirs(wide(teacher_states.to(self.teacher.device)))  # (n, shared)
            return kl_of_logits(teacher.to(states.device), ours(states), reverse=self.reverse)

        return by_parts(self.student, divergences, states, batch.teacher_final)  # type: ignore[arg-type]


@output_term("reverse_kl", needs_teacher=True)
class ReverseKLTerm(KLTerm):
    """``KL(p_S || p_T)`` in nats, on the responses of the data instead of sampled ones (Gu et al. 2024)."""

    reverse = True
