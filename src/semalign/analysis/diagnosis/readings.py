"""What the targets say: the teacher's next token, read from aligned states by the student's head."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from semalign.models.architecture import Architecture
from semalign.results.statistics import ratio_interval

POSITIONS = 256  # logits of so many positions are read at once
LOGITS = 2**26  # of the teacher, in memory for all readings: 256 MiB
TOP = 5
Read = dict[str, Tensor]  # of each position, by name
Logits = Callable[[Tensor], Tensor]  # states after the final norm to logits of the shared tokens


@dataclass(frozen=True)
class Reader:
    """Reads states by the heads of both models, over the tokens that they share.

    Attributes:
        teacher: the teacher.
        student: the student.
        teacher_ids: the shared tokens in the teacher's vocabulary.
        student_ids: the same in the student's.
        final: the teacher's states after its final norm, at the positions that are read, in float32 or wider.
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
        return torch.cat([self.teacher_logits(part).float().log_softmax(-1) for part in parts])

    @cached_property
    def teacher_logits(self) -> Logits:
        """The teacher's logits of the shared tokens; their head rows are made once for all readings."""
        return self.teacher.logits_of(self.final.dtype, self.teacher_ids)

    @cached_property
    def student_logits(self) -> Logits:
        """The student's logits of the same tokens."""
        return self.student.logits_of(self.final.dtype, self.student_ids)

    def by_student(self, states: Float[Tensor, "n d_student"]) -> Read:
        """Return how well states of the student's space say what the teacher says, through its norm and head."""
        return self._compared(lambda part: self.student_logits(self._normed(self.student, part)), states)

    def by_teacher(self, states: Float[Tensor, "n d_teacher"]) -> Read:
        """Return the same of states of the teacher's space, through its own norm and head."""
        return self._compared(lambda part: self.teacher_logits(self._normed(self.teacher, part)), states)

    def by_final(self, states: Float[Tensor, "n d_student"]) -> Read:
        """Return the same of the student's states after its final norm."""
        return self._compared(self.student_logits, states.to(self.student.device, self.final.dtype))

    def _normed(self, model: Architecture, states: Tensor) -> Tensor:
        """Return states after a final norm, which takes out their length.

        Aligned states may be too long for the numbers of float16; such a state is shortened first.
        """
        dtype = model.head_weight.dtype
        fits = (2 * states.abs().amax(-1, keepdim=True) / torch.finfo(dtype).max).clamp_min(1)
        return model.norm((states / fits).to(model.device, dtype)).to(self.final.dtype)

    def best_fit(self) -> Read:
        """Return what the teacher's logits say in the best approximation of the student's width.

        With ``G`` the Gram matrix of the teacher's head over shared tokens, states x are projected to the first D_S
        principal directions of ``x G^(1/2)``, which is the best approximation of that rank in squared logits (Eckart
        and Young). It is fitted on these positions. A head that is made for the first token alone may read more.
        """
        head = self.teacher.head_weight.detach()[self.teacher_ids.to(self.teacher.device)].double()
        values, vectors = torch.linalg.eigh(head.T @ head)
        values = values.clamp_min(values[-1] * 1e-12)
        root, inverse = ((vectors * values**power) @ vectors.T for power in (0.5, -0.5))
        seen = self.final.to(head.device).double() @ root
        kept = torch.linalg.eigh(seen.T @ seen).eigenvectors[:, -self.student.width :]
        states = (seen @ kept @ kept.T @ inverse).to(self.final.dtype)
        return self._compared(self.teacher_logits, states)

    def _compared(self, logits: Logits, states: Tensor) -> Read:
        """Return for each position whether the teacher's token is first or among the first five, and the divergence."""
        parts = zip(self.said.split(POSITIONS), states.split(POSITIONS), strict=True)
        found = [compared(said, logits(part)) for said, part in parts]
        return {key: torch.cat([part[key] for part in found]) for key in found[0]}


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


def line(found: Mapping[str, Tensor], lengths: Sequence[int], **where: Any) -> dict[str, Any]:
    """Return the line of one reading: means over positions, and the 95% interval of ``top_1``, where rows are drawn.

    Args:
        found: the values of each position, those of a row after another.
        lengths: number of positions of each row; a row without positions does not count.
        where: further entries of the line.
    """
    rows = [part.double() for part in found["top_1"].split(list(lengths)) if len(part)]
    _, low, high = ratio_interval([float(part.sum()) for part in rows], list(map(len, rows)))
    means = {key: float(values.double().mean()) for key, values in found.items()}
    return {**where, **means, "low": max(low, 0.0), "high": min(high, 1.0)}


@dataclass(frozen=True)
class Lines:
    """Makes the lines of readings, which say what was read and where.

    Attributes:
        reader: reads states by the heads.
        lengths: number of positions of each row.
    """

    reader: Reader
    lengths: Sequence[int]

    def of_student(self, layer: int, states: Float[Tensor, "n d_student"]) -> dict[str, Any]:
        """Return the line of a student layer's own states."""
        return line(self.reader.by_student(states), self.lengths, read="own", map="student", layer=layer)

    def of_student_last(self, layer: int, final: Float[Tensor, "n d_student"]) -> dict[str, Any]:
        """Return the line of the student's last layer, from its states after the final norm."""
        return line(self.reader.by_final(final), self.lengths, read="own", map="student", layer=layer)

    def of_best_fit(self, layer: int) -> dict[str, Any]:
        """Return the line of the teacher's logits at the student's width, which stands at the teacher's last layer."""
        return line(self.reader.best_fit(), self.lengths, read="own", map="width", layer=layer)

    def of_layer(
        self,
        layer: int,
        states: Float[Tensor, "n d_teacher"],
        made: Mapping[str, Sequence[Float[Tensor, "d_teacher d_student"]]],
    ) -> Iterator[dict[str, Any]]:
        """Yield the lines of a teacher layer: its own states, and the targets that the first of each map makes of them.

        Products with a map are computed on its device.
        """
        yield line(self.reader.by_teacher(states), self.lengths, read="own", map="teacher", layer=layer)
        for name, (alignment, *_) in made.items():
            read = self.reader.by_student(states.to(alignment) @ alignment)
            yield line(read, self.lengths, read="target", map=name, layer=layer)
