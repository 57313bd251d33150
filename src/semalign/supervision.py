"""What training reads: states entering the trained layer, labels, and semantically aligned targets (Section 4.2)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from semalign.architecture import Architecture
from semalign.capture import states_at, states_entering
from semalign.data import Example, matching_positions, pad
from semalign.files import json_fingerprint
from semalign.states import StateStore

FORWARD_EXAMPLES = 16  # examples in one forward pass while states are computed
Mixture = Sequence[tuple[int, float]]


class Batch(NamedTuple):
    """One training batch; positions are (rows, columns) into (batch, tokens)."""

    states: Float[Tensor, "batch tokens d"]
    attention_mask: Int[Tensor, "batch tokens"]
    output_at: tuple[Tensor, Tensor]
    labels: Int[Tensor, " n"]
    layer_at: tuple[Tensor, Tensor]
    targets: Float[Tensor, "n_matched d"]


@dataclass(frozen=True)
class Supervision:
    """Examples with all that one student layer trains on, on disk and read batch by batch.

    Attributes:
        examples: the student's encoding of the rows.
        positions: ``response`` or ``all``: which positions are supervised.
        matched: for each example, the student positions that have a target, and the teacher's that give it.
        entering: states that enter the trained student layer.
        teacher_states: teacher states at the matched positions.
        alignment: operator M of shape (D_T, D_S), ``target = h @ M``.
    """

    examples: Sequence[Example]
    positions: str
    matched: Sequence[tuple[list[int], list[int]]]
    entering: StateStore
    teacher_states: StateStore
    alignment: Float[Tensor, "d_teacher d_student"]

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
        return Batch(
            states.to(device),
            attention_mask.to(device),
            (rows.to(device), columns.to(device)),
            labels.to(device),
            (layer_at[0].to(device), layer_at[1].to(device)),
            teacher_states.to(device, self.alignment.dtype) @ self.alignment,
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


def teacher_states(
    teacher: Architecture,
    examples: Sequence[Example],
    matched: Sequence[tuple[list[int], list[int]]],
    mixture: Mixture,
    interface: str,
    folder: Path,
    fingerprint: str,
) -> StateStore:
    """Return the teacher's states at matched positions, computed by forward passes that stop at the paired layer.

    Args:
        teacher: the teacher.
        examples: the teacher's encoding of the rows.
        matched: see :func:`match_examples`.
        mixture: teacher layers with their weights: ``[(layer, 1.0)]``, or two neighbours to interpolate.
        interface: supervision interface.
        folder: where stores live.
        fingerprint: the teacher's fingerprint.
    """
    layers = [layer for layer, _ in mixture]
    at = [teacher_positions for _, teacher_positions in matched]

    def compute(input_ids: Tensor, mask: Tensor, chosen: Sequence[int]) -> list[Tensor]:
        states = states_at(teacher, layers, interface, input_ids, mask)
        mixed = sum(weight * states[layer] for layer, weight in mixture)
        return [mixed[row, at[i]] for row, i in enumerate(chosen)]  # type: ignore[index]

    key = {"model": fingerprint, "mixture": mixture, "interface": interface, "at": json_fingerprint(at)}
    return _store(teacher, examples, [len(positions) for positions in at], compute, folder, key, "teacher states")


def entering_states(
    student: Architecture, k: int, examples: Sequence[Example], folder: Path, fingerprint: str
) -> StateStore:
    """Return the states that enter student layer ``k``: nothing below it trains, so they never change."""

    def compute(input_ids: Tensor, mask: Tensor, chosen: Sequence[int]) -> list[Tensor]:
        states = states_entering(student, k, input_ids, mask)
        return [states[row, : len(examples[i])] for row, i in enumerate(chosen)]

    key = {"model": fingerprint, "entering": k}
    return _store(student, examples, [len(example) for example in examples], compute, folder, key, "student prefix")


def _store(
    architecture: Architecture,
    examples: Sequence[Example],
    lengths: Sequence[int],
    compute: Callable[[Tensor, Tensor, Sequence[int]], list[Tensor]],
    folder: Path,
    key: dict[str, Any],
    description: str,
) -> StateStore:
    device = architecture.device

    @torch.no_grad()
    def compute_range(wanted: range) -> list[Tensor]:
        states: list[Tensor] = []
        for start in range(wanted.start, wanted.stop, FORWARD_EXAMPLES):
            chosen = range(start, min(start + FORWARD_EXAMPLES, wanted.stop))
            input_ids, mask = pad([examples[i] for i in chosen])
            states += [state.cpu() for state in compute(input_ids.to(device), mask.to(device), chosen)]
        return states

    key = {**key, "ids": json_fingerprint([example.input_ids for example in examples])}
    store = StateStore(folder, key, lengths, architecture.width, architecture.head_weight.dtype)
    store.ensure(compute_range, description)
    return store
