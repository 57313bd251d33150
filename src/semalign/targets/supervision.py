"""What training reads: states entering the trained layer, labels, and semantically aligned targets (Section 4.2)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from semalign.data.rows import Example, matching_positions, pad
from semalign.targets.store import StateStore


class Batch(NamedTuple):
    """One training batch; positions are (rows, columns) into (batch, tokens)."""

    states: Float[Tensor, "batch tokens d"]
    attention_mask: Int[Tensor, "batch tokens"]
    output_at: tuple[Tensor, Tensor]
    labels: Int[Tensor, " n"]
    layer_at: tuple[Tensor, Tensor]
    targets: Float[Tensor, "n_matched d_target"]
    teacher_final: Float[Tensor, "n_matched d_teacher"] | None = None


@dataclass(frozen=True)
class Supervision:
    """Examples with all that one student layer trains on, on disk and read batch by batch.

    Attributes:
        examples: the student's encoding of the rows.
        positions: ``response`` or ``all``: which positions are supervised.
        matched: for each example, the student positions that have a target, and the teacher's that give it.
        entering: states that enter the trained student layer.
        teacher_states: teacher states at the matched positions.
        alignment: operator M of shape (D_T, D_S), ``target = h @ M``; the identity leaves targets as they are.
        teacher_final: states that left the teacher's final norm at the matched positions, for terms on its logits.
        projection: first value of the map from the student's states to the targets, where one is learned.
    """

    examples: Sequence[Example]
    positions: str
    matched: Sequence[tuple[list[int], list[int]]]
    entering: StateStore
    teacher_states: StateStore
    alignment: Float[Tensor, "d_teacher d_target"]
    teacher_final: StateStore | None = None
    projection: Float[Tensor, "d_student d_target"] | None = None

    def batch(self, indices: Sequence[int]) -> Batch:
        """Return the batch of some examples, on the device of the alignment map."""
        device = self.alignment.device
        examples = [self.examples[i] for i in indices]
        input_ids, attention_mask = pad(examples)
        states = torch.zeros(*input_ids.shape, self.entering.width, dtype=self.entering.dtype)
        for row, i in enumerate(indices):
            states[row, : len(self.examples[i])] = self.entering[i]
        rows, columns = _positions([list(example.positions(self.positions)) for example in examples])
        labels = input_ids[rows, columns + 1]
        layer_at = _positions([self.matched[i][0] for i in indices])
        teacher_states = torch.cat([self.teacher_states[i] for i in indices])
        final = None if self.teacher_final is None else torch.cat([self.teacher_final[i] for i in indices]).to(device)
        return Batch(
            states.to(device),
            attention_mask.to(device),
            (rows.to(device), columns.to(device)),
            labels.to(device),
            (layer_at[0].to(device), layer_at[1].to(device)),
            teacher_states.to(device, self.alignment.dtype) @ self.alignment,
            final,
        )

    def counts(self, indices: Sequence[int]) -> tuple[int, int]:
        """Return how many positions of some examples have a label, and how many a target."""
        labelled = sum(len(self.examples[i].positions(self.positions)) for i in indices)
        return labelled, sum(len(self.matched[i][0]) for i in indices)

    def mean_direction_share(self, n_examples: int = 64) -> float:
        """Return the share of the targets' energy in their mean direction, over the first examples.

        The squared length of the mean of all targets at unit length: 1 means that every position has the same
        target, so that there is nothing to tell positions apart by.
        """
        rows = torch.cat([self.teacher_states[i] for i in range(min(n_examples, len(self.examples)))])
        targets = torch.nn.functional.normalize(rows.to(self.alignment) @ self.alignment, dim=-1)
        return float(targets.mean(0).square().sum())


def _positions(columns: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    rows = [row for row, part in enumerate(columns) for _ in part]
    return torch.tensor(rows, dtype=torch.long), torch.tensor([c for part in columns for c in part], dtype=torch.long)


def match_examples(
    student_examples: Sequence[Example], teacher_examples: Sequence[Example], positions: str
) -> list[tuple[list[int], list[int]]]:
    """Return, for each example, matching positions of student and teacher.

    Raises:
        ValueError: if nothing matches anywhere, so that no target could be made.
    """
    matched = [matching_positions(s, t, positions) for s, t in zip(student_examples, teacher_examples, strict=True)]
    if not any(student for student, _ in matched):
        raise ValueError("teacher and student end no token at the same place of these texts: no target can be made")
    return matched
