"""States of several layers from one forward pass, at the positions where both models have read the same text."""

from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from itertools import accumulate
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from semalign.data.rows import Example, pad
from semalign.models.architecture import Architecture
from semalign.models.batching import FittingParts
from semalign.models.capture import capture
from semalign.models.evaluating import evaluating
from semalign.models.finite import check_finite
from semalign.models.precision import wide

EXAMPLES = 8  # the most examples in one forward pass


class HeldStates:
    """:class:`semalign.targets.store.States` in memory."""

    def __init__(self, states: Sequence[Float[Tensor, "_ d"]]) -> None:
        self._states = list(states)
        self.offsets: Sequence[int] = list(accumulate(map(len, self._states), initial=0))
        self.width, self.dtype = self._states[0].shape[1], self._states[0].dtype

    def __len__(self) -> int:
        """Return the number of examples."""
        return len(self._states)

    def __getitem__(self, example: int) -> Float[Tensor, "tokens d"]:
        """Return the states of one example."""
        return self._states[example]

    def all(self) -> Float[Tensor, "n d"]:
        """Return the states of all examples, one after the other, in float32 or float64."""
        return wide(torch.cat(self._states))


class Place(NamedTuple):
    """Where states are taken: an interface, and a layer from 1."""

    interface: str
    layer: int


class Read(NamedTuple):
    """The states of a model on some rows.

    Attributes:
        places: the states at each place that was asked for.
        final: the states after the final norm.
    """

    places: dict[Place, HeldStates]
    final: HeldStates


def read_states(
    model: Architecture, examples: Sequence[Example], at: Sequence[Sequence[int]], places: Sequence[Place]
) -> Read:
    """Return the states at some places and after the final norm, by one forward pass over the rows.

    Args:
        model: the model.
        examples: the rows, encoded for it.
        at: the positions of each row whose states are wanted.
        places: interfaces and layers.
    """
    layers = {interface: [p.layer for p in places if p.interface == interface] for interface, _ in places}

    def compute(part: Sequence[int]) -> list[list[Tensor]]:
        """Return for each of some examples its states at all places, and the final ones."""
        input_ids, mask = pad([examples[i] for i in part])
        run = partial(model.run, mask, input_ids=input_ids)
        with ExitStack() as stack:
            states = {name: stack.enter_context(capture(model, numbers, name)) for name, numbers in layers.items()}
            last = run()
        check_finite(last[mask.bool().to(last.device)], "the states", model, run)
        of = [*(states[place.interface][place.layer] for place in places), last]
        return [[each[row, list(at[i])].cpu() for each in of] for row, i in enumerate(part)]

    parts = FittingParts(model, EXAMPLES, kept_states=len(places))
    with evaluating(model.model):
        rows = parts.each(compute, range(len(examples)), list(map(len, examples)))
    *found, final = (HeldStates(states) for states in zip(*rows, strict=True))
    return Read(dict(zip(places, found, strict=True)), final)
