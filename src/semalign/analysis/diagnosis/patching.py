"""The patch test: aligned states in place of the student's own at one layer, and what that does to its answers."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import normalize

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
        lengths = list(map(len, examples))
        self.parts = [list(part) for part in FittingParts(student, EXAMPLES).split(range(len(examples)), lengths)]
        with evaluating(student.model), torch.no_grad():
            self.entering = [self._entering(part) for part in self.parts]

    def _entering(self, part: Sequence[int]) -> Tensor:
        input_ids, mask = (each.to(self.student.device) for each in pad([self.examples[i] for i in part]))
        return states_entering(self.student, self.k, input_ids, mask)

    def own(self) -> list[float]:
        """Return the response NLL of each row with the student's own states, in nats per token."""
        return self._nll(None, 0.0)

    def patched(self, targets: Sequence[Tensor] | None, strength: float) -> list[float]:
        """Return the response NLL of each row with targets mixed in.

        Args:
            targets: the targets of each row at its positions; None: zero instead.
            strength: see :func:`mixed_in`.
        """
        return self._nll(targets, strength)

    def _nll(self, targets: Sequence[Tensor] | None, strength: float) -> list[float]:
        with evaluating(self.student.model):
            return [
                value
                for part, states in zip(self.parts, self.entering, strict=True)
                for value in self._part(part, states, targets, strength)
            ]

    def _part(
        self, part: Sequence[int], states: Tensor, targets: Sequence[Tensor] | None, strength: float
    ) -> list[float]:
        device = self.student.device
        examples = [self.examples[i] for i in part]
        input_ids, mask = (each.to(device) for each in pad(examples))
        at = At.of([self.at[i] for i in part], device)
        target = None if targets is None else torch.cat([targets[i] for i in part]).to(device)
        run = partial(run_from, self.student, self.k, states, mask)
        labelled = At.of([example.positions() for example in examples], device)
        with changed(self.student, self.k, self.interface, at, mixed_in(target, strength)):
            final = run()
            check_finite(final[labelled.rows, labelled.columns], "the states", self.student, run)
        labels = input_ids[labelled.rows, labelled.columns + 1]
        losses = token_losses(self.student, final[labelled.rows, labelled.columns], labels)
        counts = [len(example.positions()) for example in examples]
        return [float(row.mean()) for row in losses.split(counts)]
