"""The data that training reads: states entering the first trained layer, labels, aligned targets (Section 4.2)."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from semalign.data.rows import Example, Matched, matching_positions, pad
from semalign.models.architecture import Architecture
from semalign.models.precision import wide
from semalign.targets.alignment import AtomAlignment
from semalign.targets.store import StateStore

MEASURED = 64  # examples whose targets are measured


class At(NamedTuple):
    """Positions in a padded batch, usable as an index of a (batch, tokens) tensor: (rows[i], columns[i])."""

    rows: Int[Tensor, " n"]
    columns: Int[Tensor, " n"]

    @classmethod
    def of(cls, columns: Sequence[Sequence[int]], device: torch.device) -> "At":
        """Return the positions, given the columns of each row of the batch."""
        rows = [row for row, part in enumerate(columns) for _ in part]
        flat = [column for part in columns for column in part]
        return cls(*(torch.tensor(part, dtype=torch.long, device=device) for part in (rows, flat)))


class TeacherHead(NamedTuple):
    """The teacher's LM head, and the ids of the shared tokens in the teacher's and in the student's vocabulary."""

    architecture: Architecture
    teacher_ids: Int[Tensor, " shared"]
    student_ids: Int[Tensor, " shared"]


@dataclass(frozen=True)
class LayerTargets:
    """The targets of one student layer.

    Attributes:
        k: the student layer.
        teacher_states: states of its teacher layers at the matched positions.
        alignment: operator M of shape (D_T, D_S), ``target = h @ M``; None if targets stay in the teacher's space, or
            are made by atoms.
        projection: initial value of a projection of the student's states into the teacher's space, shape (D_S, D_T),
            which is trained with the adapter; None if there is no projection.
        by_atoms: makes targets in the student's space from changed coefficients, in place of an operator.
    """

    k: int
    teacher_states: StateStore
    alignment: Float[Tensor, "d_teacher d_student"] | None = None
    projection: Float[Tensor, "d_student d_teacher"] | None = None
    by_atoms: AtomAlignment | None = None

    @property
    def comparable(self) -> bool:
        """Whether the (projected) student states and the targets are in the same space."""
        return any(each is not None for each in (self.alignment, self.projection, self.by_atoms))

    def of(self, indices: Sequence[int], device: torch.device) -> Float[Tensor, "n d_target"]:
        """Return the targets of some examples at their matched positions, concatenated, in float32 or float64."""
        states = torch.cat([self.teacher_states[i] for i in indices]).to(device)
        if self.by_atoms is not None:
            return self.by_atoms.targets(states.to(self.by_atoms.student.dtype))
        return wide(states) if self.alignment is None else states.to(self.alignment.dtype) @ self.alignment

    def mean_direction_share(self) -> float:
        """Return the share of the targets' energy in their mean direction, over the first examples that have targets.

        This is the squared norm of the mean of the normalised targets. A share of 1 means that all positions have the
        same target, so the targets do not distinguish positions. Of the parts of 64 examples, it is the first one with
        a target that is measured.
        """
        first = bisect_right(self.teacher_states.offsets, 0) - 1  # example with a target
        start = first - first % MEASURED
        made_of = self.alignment if self.by_atoms is None else self.by_atoms.student
        device = torch.device("cpu") if made_of is None else made_of.device
        targets = self.of(range(start, min(start + MEASURED, len(self.teacher_states))), device)
        return float(torch.nn.functional.normalize(targets, dim=-1).mean(0).square().sum())


class Batch(NamedTuple):
    """One training batch.

    Attributes:
        states: states that enter the first trained layer.
        attention_mask: 1 for tokens, 0 for padding.
        labelled: positions with a label, which is the next token.
        labels: the labels, token ids.
        matched: positions with a target.
        targets: the targets at the matched positions, by trained layer; at the interface ``heads`` one for each head.
        teacher_final: teacher states after the final norm at the matched positions, if the output term needs them.
    """

    states: Float[Tensor, "batch tokens d"]
    attention_mask: Int[Tensor, "batch tokens"]
    labelled: At
    labels: Int[Tensor, " n"]
    matched: At
    targets: dict[int, Float[Tensor, "n_matched ... _"]]
    teacher_final: Float[Tensor, "n_matched d_teacher"] | None = None


class Counts(NamedTuple):
    """Number of positions with a label, and with a target."""

    labelled: int
    matched: int


@dataclass(frozen=True)
class Supervision:
    """Examples with everything that the trained student layers learn from, stored on disk and read batch by batch.

    Attributes:
        examples: the rows, encoded for the student.
        positions: which positions are supervised, ``response`` or ``all``.
        matched: for each example, the positions at which both models have read the same text.
        entering: states that enter the first trained layer.
        layers: targets of each trained layer, shallow to deep.
        device: device of the batches.
        teacher_final: teacher states after the final norm at the matched positions, for terms on the teacher's logits.
        teacher_head: head that turns ``teacher_final`` into the teacher's logits.
    """

    examples: Sequence[Example]
    positions: str
    matched: Sequence[Matched]
    entering: StateStore
    layers: Sequence[LayerTargets]
    device: torch.device
    teacher_final: StateStore | None = None
    teacher_head: TeacherHead | None = None

    @cached_property
    def trained(self) -> list[int]:
        """The trained student layers, shallow to deep."""
        return [layer.k for layer in self.layers]

    @cached_property
    def states_each(self) -> int:
        """Number of targets of a position: one, or at the interface ``heads`` one for each head.

        It is that of all examples, since those of a batch may have no matched position.
        """
        positions = self.counts(range(len(self.examples))).matched
        return self.layers[0].teacher_states.offsets[-1] // max(positions, 1) or 1

    def batch(self, indices: Sequence[int]) -> Batch:
        """Return the batch of some examples."""
        device, examples = self.device, [self.examples[i] for i in indices]
        input_ids, attention_mask = pad(examples)
        states = torch.zeros(*input_ids.shape, self.entering.width, dtype=self.entering.dtype)
        for row, i in enumerate(indices):
            states[row, : len(self.examples[i])] = self.entering[i]  # padding stays zero
        labelled = At.of([example.positions(self.positions) for example in examples], device)
        final = None if self.teacher_final is None else torch.cat([self.teacher_final[i] for i in indices]).to(device)
        return Batch(
            states.to(device),
            attention_mask.to(device),
            labelled,
            input_ids.to(device)[labelled.rows, labelled.columns + 1],  # the label is the next token
            At.of([self.matched[i].student for i in indices], device),
            {layer.k: self._by_position(layer.of(indices, device)) for layer in self.layers},
            final,
        )

    def _by_position(self, targets: Tensor) -> Tensor:
        """Return targets of shape (n, D), or (n, heads, D) where the heads of a position have one each."""
        return targets if self.states_each == 1 else targets.unflatten(0, (-1, self.states_each))

    def counts(self, indices: Sequence[int]) -> Counts:
        """Return how many positions of some examples have a label and how many have a target."""
        labelled = sum(len(self.examples[i].positions(self.positions)) for i in indices)
        return Counts(labelled, sum(len(self.matched[i].student) for i in indices))


def match_examples(
    teacher_examples: Sequence[Example], student_examples: Sequence[Example], positions: str
) -> list[Matched]:
    """Return the matching positions of teacher and student for each example.

    Raises:
        ValueError: if no position of any example matches, so that there would be no target.
    """
    matched = [matching_positions(t, s, positions) for t, s in zip(teacher_examples, student_examples, strict=True)]
    if not any(each.student for each in matched):
        raise ValueError("teacher and student end no token at the same place of these texts: no target can be made")
    return matched
