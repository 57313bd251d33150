"""What the targets say: the teacher's next token, read from aligned states by the student's head."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from semalign.models.architecture import Architecture
from semalign.models.precision import wide
from semalign.results.statistics import bootstrap_interval

POSITIONS = 256  # logits of so many positions are read at once
LOGITS = 2**26  # of the teacher, in memory for all readings: 256 MiB
TOP = 5
Read = dict[str, Tensor]  # of each position, by name


@dataclass(frozen=True)
class Reader:
    """Reads states by the heads of both models, over the tokens that they share.

    Attributes:
        teacher: the teacher.
        student: the student.
        teacher_ids: the shared tokens in the teacher's vocabulary.
        student_ids: the same in the student's.
        final: the teacher's states after its final norm, at the positions that are read.
    """

    teacher: Architecture
    student: Architecture
    teacher_ids: Int[Tensor, " shared"]
    student_ids: Int[Tensor, " shared"]
    final: Float[Tensor, "n d_teacher"]

    @cached_property
    def said(self) -> Float[Tensor, "n shared"]:
        """The log-probabilities of the teacher's own predictions."""
        parts = self.final.to(self.teacher.device).split(POSITIONS)
        return torch.cat([self.teacher.logits(part, self.teacher_ids).float().log_softmax(-1) for part in parts])

    def by_student(self, states: Float[Tensor, "n d_student"]) -> Read:
        """Return how well states of the student's space say what the teacher says, through its norm and head."""
        return self._compared(lambda part: _lens(self.student, part, self.student_ids), states)

    def by_teacher(self, states: Float[Tensor, "n d_teacher"]) -> Read:
        """Return the same of states of the teacher's space, through its own norm and head."""
        return self._compared(lambda part: _lens(self.teacher, part, self.teacher_ids), states)

    def by_final(self, states: Float[Tensor, "n d_student"]) -> Read:
        """Return the same of the student's states after its final norm."""
        return self._compared(lambda part: self.student.logits(part, self.student_ids), states.to(self.student.device))

    def ceiling(self) -> Read:
        """Return what a head of the student's width can say at most: the best approximation of that rank to the logits.

        With ``G`` the Gram matrix of the teacher's head over shared tokens, states x are projected to the first D_S
        principal directions of ``x G^(1/2)``, which is the best approximation in squared logits (Eckart and Young).
        """
        head = wide(self.teacher.head_weight.detach())[self.teacher_ids.to(self.teacher.device)].double()
        values, vectors = torch.linalg.eigh(head.T @ head)
        values = values.clamp_min(values[-1] * 1e-12)
        root, inverse = ((vectors * values**power) @ vectors.T for power in (0.5, -0.5))
        seen = self.final.to(head.device).double() @ root
        kept = torch.linalg.eigh(seen.T @ seen).eigenvectors[:, -self.student.width :]
        states = (seen @ kept @ kept.T @ inverse).to(self.final.dtype)
        return self._compared(lambda part: self.teacher.logits(part, self.teacher_ids), states)

    def _compared(self, logits: Callable[[Tensor], Tensor], states: Tensor) -> Read:
        """Return for each position whether the teacher's token is first or among the first five, and the divergence."""
        parts = zip(self.said.split(POSITIONS), states.split(POSITIONS), strict=True)
        found = [compared(said, logits(part)) for said, part in parts]
        return {key: torch.cat([part[key] for part in found]) for key in found[0]}


def _lens(model: Architecture, states: Tensor, tokens: Tensor) -> Tensor:
    """Return the logits of states in front of the final norm, whose length the norm takes out.

    Aligned states may be too long for the numbers of float16; such a state is shortened first.
    """
    dtype = model.head_weight.dtype
    fits = (2 * states.abs().amax(-1, keepdim=True) / torch.finfo(dtype).max).clamp_min(1)
    return model.logits(wide(model.norm((states / fits).to(model.device, dtype))), tokens)


def compared(teacher: Float[Tensor, "n shared"], read: Float[Tensor, "n shared"]) -> Read:
    """Return for each position whether the teacher's first token is the first, or among the first five, that is read.

    Also the divergence ``KL(teacher || read)`` in nats.

    Args:
        teacher: log-probabilities of the teacher.
        read: logits.
    """
    read = read.float().to(teacher.device).log_softmax(-1)
    first = teacher.argmax(-1, keepdim=True)
    top = read.topk(min(TOP, read.shape[-1]), dim=-1).indices
    return {
        "top_1": (top[:, :1] == first).any(-1).float().cpu(),
        "top_5": (top == first).any(-1).float().cpu(),
        "kl": (teacher.exp() * (teacher - read)).sum(-1).cpu(),
    }


def spread(lengths: Sequence[int], shared: int) -> list[Int[Tensor, " _"]]:
    """Return the positions of each row that are read: as many, at even distances, as keep all logits in memory.

    Args:
        lengths: number of positions of each row.
        shared: number of shared tokens.
    """
    most = max(1, LOGITS // (shared * max(1, len(lengths))))
    return [torch.linspace(0, n - 1, min(n, most)).round().long() for n in lengths]


def _mean_by_row(values: Float[Tensor, " n"], lengths: Sequence[int]) -> list[float]:
    """Return the mean of each row's positions; rows without positions are left out."""
    return [float(part.mean()) for part in values.split(list(lengths)) if len(part)]


def line(found: Mapping[str, Tensor], lengths: Sequence[int], **where: Any) -> dict[str, Any]:
    """Return the line of one reading: means over positions, and the interval of the first over rows."""
    estimate = bootstrap_interval(_mean_by_row(found["top_1"], lengths))
    means = {key: float(values.double().mean()) for key, values in found.items()}
    return {**where, **means, "low": estimate.low, "high": estimate.high}
