"""Forward passes whose states are kept: those of the teacher that give targets, those that enter the trained layer."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from semalign.data.rows import Example, pad
from semalign.files import json_fingerprint
from semalign.models.architecture import Architecture
from semalign.models.capture import states_at, states_entering
from semalign.targets.store import StateStore

FORWARD_EXAMPLES = 16  # examples in one forward pass while states are computed
Mixture = Sequence[tuple[int, float]]


def layer_states(
    model: Architecture,
    examples: Sequence[Example],
    at: Sequence[list[int]],
    mixture: Mixture,
    interface: str,
    folder: Path,
    fingerprint: str,
) -> StateStore:
    """Return a model's states at some positions, computed by forward passes that stop at the layers asked for.

    Args:
        model: teacher or student.
        examples: its encoding of the rows.
        at: for each example, the positions.
        mixture: layers with their weights: ``[(layer, 1.0)]``, or two neighbours to interpolate.
        interface: supervision interface.
        folder: where stores live.
        fingerprint: the model's fingerprint.
    """
    layers = [layer for layer, _ in mixture]

    def compute(input_ids: Tensor, mask: Tensor, chosen: Sequence[int]) -> list[Tensor]:
        states = states_at(model, layers, interface, input_ids, mask)
        mixed = sum(weight * states[layer] for layer, weight in mixture)
        return [mixed[row, at[i]] for row, i in enumerate(chosen)]  # type: ignore[index]

    key = {"model": fingerprint, "mixture": mixture, "interface": interface, "at": json_fingerprint(at)}
    return _store(model, examples, [len(positions) for positions in at], compute, folder, key, "layer states")


def final_states(
    model: Architecture, examples: Sequence[Example], at: Sequence[list[int]], folder: Path, fingerprint: str
) -> StateStore:
    """Return a model's states after its final norm at some positions: its logits, V numbers each, are never stored."""

    def compute(input_ids: Tensor, mask: Tensor, chosen: Sequence[int]) -> list[Tensor]:
        states = model.decoder(input_ids=input_ids, attention_mask=mask, use_cache=False).last_hidden_state
        return [states[row, at[i]] for row, i in enumerate(chosen)]

    key = {"model": fingerprint, "final": True, "at": json_fingerprint(at)}
    return _store(model, examples, [len(positions) for positions in at], compute, folder, key, "final states")


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
