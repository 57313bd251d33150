"""What training reads: states entering the first trained layer, labels, and aligned targets (Section 4.2)."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from semalign.data.rows import Example, Matched, matching_positions, pad
from semalign.models.architecture import Architecture
from semalign.targets.store import StateStore


class At(NamedTuple):
    """Positions of a padded batch: token ``columns[i]`` of row ``rows[i]``; it indexes a (batch, tokens) tensor."""

    rows: Int[Tensor, " n"]
    columns: Int[Tensor, " n"]

    @classmethod
    def of(cls, columns: Sequence[Sequence[int]], device: torch.device) -> "At":
        """Return the positions from those of each row."""
        rows = [row for row, part in enumerate(columns) for _ in part]
        flat = [column for part in columns for column in part]
        return cls(*(torch.tensor(part, dtype=torch.long, device=device) for part in (rows, flat)))


class TeacherHead(NamedTuple):
    """The teacher's LM head, and the tokens that both models have: ids in its vocabulary and in the student's."""

    architecture: Architecture
    teacher_ids: Int[Tensor, " shared"]
    student_ids: Int[Tensor, " shared"]


@dataclass(frozen=True)
class LayerTargets:
    """What one student layer is to reach.

    Attributes:
        k: the student layer.
        teacher_states: states of its teacher layers at the matched positions.
        alignment: operator M of shape (D_T, D_S), ``target = h @ M``; None where targets stay in the teacher's space.
        projection: first value of a projection of the student's states into the teacher's space, shape (D_S, D_T),
            which trains along; None where there is none.
    """

    k: int
    teacher_states: StateStore
    alignment: Float[Tensor, "d_teacher d_student"] | None = None
    projection: Float[Tensor, "d_student d_teacher"] | None = None

    @property
    def comparable(self) -> bool:
        """Whether states (projected, if they are) and targets live in one space."""
        return self.alignment is not None or self.projection is not None

    def of(self, indices: Sequence[int], device: torch.device) -> Float[Tensor, "n d_target"]:
        """Return the targets of some examples, at all their matched positions, in float32 or wider."""
        states = torch.cat([self.teacher_states[i] for i in indices]).to(device)
        if self.alignment is None:
            return states.to(torch.promote_types(states.dtype, torch.float32))
        return states.to(self.alignment.dtype) @ self.alignment

    def mean_direction_share(self, n_examples: int = 64) -> float:
        """Return the share of the targets' energy in their mean direction, over the first examples.

        The squared length of the mean of all targets at unit length: 1 means that every position has the same
        target, so that nothing tells positions apart.
        """
        device = torch.device("cpu") if self.alignment is None else self.alignment.device
        targets = self.of(range(min(n_examples, len(self.teacher_states))), device)
        return float(torch.nn.functional.normalize(targets, dim=-1).mean(0).square().sum())


class Batch(NamedTuple):
    """One training batch.

    Attributes:
        states: what enters the first trained layer.
        attention_mask: 1 for tokens, 0 for padding.
        labelled: positions with a label; the token after each is its label.
        labels: the labels, token ids.
        matched: positions with a target.
        targets: for each trained layer, its targets at the matched positions.
        teacher_final: states that left the teacher's final norm at the matched positions, if a term needs them.
    """

    states: Float[Tensor, "batch tokens d"]
    attention_mask: Int[Tensor, "batch tokens"]
    labelled: At
    labels: Int[Tensor, " n"]
    matched: At
    targets: dict[int, Float[Tensor, "n_matched _"]]
    teacher_final: Float[Tensor, "n_matched d_teacher"] | None = None


class Counts(NamedTuple):
    """How many positions have a label, and how many a target."""

    labelled: int
    matched: int


@dataclass(frozen=True)
class Supervision:
    """Examples with all that the trained student layers learn from, on disk and read batch by batch.

    Attributes:
        examples: the student's encoding of the rows.
        positions: ``response`` or ``all``: which positions are supervised.
        matched: for each example, the positions of both models that have read the same text.
        entering: states that enter the first trained layer.
        layers: targets of each trained layer, shallow to deep.
        device: where batches go.
        teacher_final: states that left the teacher's final norm at the matched positions, for terms on its logits.
        teacher_head: what makes the teacher's logits of them.
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

    def batch(self, indices: Sequence[int]) -> Batch:
        """Return the batch of some examples."""
        device, examples = self.device, [self.examples[i] for i in indices]
        input_ids, attention_mask = pad(examples)
        states = torch.zeros(*input_ids.shape, self.entering.width, dtype=self.entering.dtype)
        for row, i in enumerate(indices):
            states[row, : len(self.examples[i])] = self.entering[i]
        labelled = At.of([example.positions(self.positions) for example in examples], device)
        final = None if self.teacher_final is None else torch.cat([self.teacher_final[i] for i in indices]).to(device)
        return Batch(
            states.to(device),
            attention_mask.to(device),
            labelled,
            input_ids.to(device)[labelled.rows, labelled.columns + 1],
            At.of([self.matched[i].student for i in indices], device),
            {layer.k: layer.of(indices, device) for layer in self.layers},
            final,
        )

    def counts(self, indices: Sequence[int]) -> Counts:
        """Return how many positions of some examples have a label, and how many a target."""
        labelled = sum(len(self.examples[i].positions(self.positions)) for i in indices)
        return Counts(labelled, sum(len(self.matched[i].student) for i in indices))


def match_examples(
    teacher_examples: Sequence[Example], student_examples: Sequence[Example], positions: str
) -> list[Matched]:
    """Return, for each example, matching positions of teacher and student.

    Raises:
        ValueError: if nothing matches anywhere, so that no target could be made.
    """
    matched = [matching_positions(t, s, positions) for t, s in zip(teacher_examples, student_examples, strict=True)]
    if not any(each.student for each in matched):
        raise ValueError("teacher and student end no token at the same place of these texts: no target can be made")
    return matched
