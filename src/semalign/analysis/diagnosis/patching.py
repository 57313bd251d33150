"""The patch test: aligned states in place of the student's own at one layer, and what that does to its answers."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import normalize
from torch.nn.utils.rnn import pad_sequence

from semalign.analysis.diagnosis.states import EXAMPLES
from semalign.data.rows import Example, pad
from semalign.models.architecture import Architecture
from semalign.models.batching import FittingParts
from semalign.models.capture import run_from, states_entering
from semalign.models.evaluating import evaluating
from semalign.models.finite import check_finite
from semalign.models.patching import entering, first
from semalign.models.precision import wide
from semalign.models.token_losses import token_losses
from semalign.targets.supervision import At

Change = Callable[[Float[Tensor, "n d"]], Float[Tensor, "n d"]]
R = TypeVar("R")


@contextmanager
def changed(model: Architecture, k: int, interface: str, at: At, change: Change) -> Iterator[None]:
    """Put ``change(state)`` in place of the states of layer ``k`` at some positions while the block runs.

    Args:
        model: the model.
        k: the layer.
        interface: ``attention``, ``mlp``, ``residual`` or ``layer``.
        at: the positions.
        change: function of the states at these positions.
    """

    def put(state: Tensor) -> Tensor:
        found = state.clone()
        found[at.rows, at.columns] = change(state[at.rows, at.columns]).to(state.dtype)
        return found

    def hook(module: nn.Module, args: tuple, kwargs: dict[str, Any], output: Any) -> Any:
        state = first(output)
        if interface == "residual":
            before = entering(args, kwargs)
            state = before + put(state - before)
        elif interface == "layer":
            state = put(state)
        else:
            state = put(model.added(state)) / model.residual_scale
        return (state, *output[1:]) if isinstance(output, tuple) else state

    handle = model.writer(k, interface).register_forward_hook(hook, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()


def mixed_in(target: Float[Tensor, "n d"] | None, strength: float) -> Change:
    """Return the change that mixes a target into states at their own norm: ``(1 - a) s + a |s| t / |t|``.

    Args:
        target: the targets t, whose scale does not count; None for zero.
        strength: the strength a, from 0 to 1.
    """

    def change(state: Tensor) -> Tensor:
        own = wide(state)
        if target is None:
            return (1 - strength) * own
        return (1 - strength) * own + strength * own.norm(dim=-1, keepdim=True) * normalize(target.to(own), dim=-1)

    return change


class PatchTest:
    """Response NLL of rows while the states of one student layer are changed.

    Args:
        student: the student.
        examples: the rows, encoded for it.
        at: the positions of each row whose states are changed.
        k: the layer.
        interface: where its states are changed.
    """

    def __init__(
        self, student: Architecture, examples: Sequence[Example], at: Sequence[Sequence[int]], k: int, interface: str
    ) -> None:
        self.student, self.examples, self.at, self.k, self.interface = student, examples, at, k, interface
        self.parts = FittingParts(student, EXAMPLES, logits=True)
        self.entering = self._each(self._entering)

    def _each(self, compute: Callable[[Sequence[int]], Sequence[R]]) -> list[R]:
        """Return what is computed for each row, from as many rows at once as fit the memory."""
        with evaluating(self.student.model), torch.no_grad():
            return self.parts.each(compute, range(len(self.examples)), list(map(len, self.examples)))

    def _padded(self, part: Sequence[int]) -> tuple[Tensor, Tensor]:
        input_ids, mask = (each.to(self.student.device) for each in pad([self.examples[i] for i in part]))
        return input_ids, mask

    def _entering(self, part: Sequence[int]) -> list[Tensor]:
        """Return the states of each row that enter the layer; no change is made before it."""
        states = states_entering(self.student, self.k, *self._padded(part))
        return [states[row, : len(self.examples[i])] for row, i in enumerate(part)]

    def own(self) -> list[float]:
        """Return the response NLL of each row with the student's own states, in nats per token."""
        return self.patched(None, 0.0)

    def patched(self, targets: Sequence[Tensor] | None, strength: float) -> list[float]:
        """Return the response NLL of each row with targets mixed in.

        Args:
            targets: the targets of each row at its positions; None: zero instead.
            strength: see :func:`mixed_in`.
        """
        return self._each(partial(self._part, targets, strength))

    def _part(self, targets: Sequence[Tensor] | None, strength: float, part: Sequence[int]) -> list[float]:
        device, (input_ids, mask) = self.student.device, self._padded(part)
        at = At.of([self.at[i] for i in part], device)
        target = None if targets is None else torch.cat([targets[i] for i in part]).to(device)
        states = pad_sequence([self.entering[i] for i in part], batch_first=True)
        run = partial(run_from, self.student, self.k, states, mask)
        positions = [self.examples[i].positions() for i in part]
        labelled = At.of(positions, device)
        with changed(self.student, self.k, self.interface, at, mixed_in(target, strength)):
            final = run()[labelled.rows, labelled.columns]
            check_finite(final, "the states", self.student, run)
        losses = token_losses(self.student, final, input_ids[labelled.rows, labelled.columns + 1])
        return [float(row.mean()) for row in losses.split(list(map(len, positions)))]
