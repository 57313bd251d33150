"""The registry of output terms: what compares the student's logits with labels or with the teacher's, one file each.

An output term gives one value for each of its positions; the objective adds these up over the whole batch and divides
once. It is a class, made once for a training run::

    @OUTPUT_TERMS.register("mine")
    class Mine(OutputTerm):
        def forward(self, states: Tensor, batch: Batch) -> Tensor: ...
"""

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from semalign.models.architecture import Architecture
from semalign.registry import Registry
from semalign.settings import TransferSettings
from semalign.targets.supervision import Batch, TeacherHead


class OutputTerm(nn.Module, ABC):
    """A term on the student's logits.

    Args:
        student: the adapted student.
        settings: of the transfer.
        teacher_head: what makes the teacher's logits; None unless ``needs_teacher``.

    Attributes:
        needs_teacher: whether it compares with the teacher's logits. Its positions are then those where the teacher
            has read the same text (``batch.matched``), otherwise all with a label (``batch.labelled``).
    """

    needs_teacher: ClassVar[bool] = False

    def __init__(self, student: Architecture, settings: TransferSettings, teacher_head: TeacherHead | None) -> None:
        super().__init__()
        self.student, self.settings, self.teacher_head = student, settings, teacher_head

    @abstractmethod
    def forward(self, states: Float[Tensor, "n d"], batch: Batch) -> Float[Tensor, " n"]:
        """Return the value at every position.

        Args:
            states: what left the final norm at the term's positions, with gradients.
            batch: labels, and the teacher's final states at the matched positions.
        """


def wide(tensor: Tensor) -> Tensor:
    """Return half-precision numbers as float32: averages over many positions need the digits."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


OUTPUT_TERMS: Registry[type[OutputTerm]] = Registry("output term", __name__)
"""Output terms by the name that the setting ``output_loss`` takes."""
