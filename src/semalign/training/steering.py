"""Steering (Section 4.3): train the paired student layers through LoRA while everything else is frozen."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from semalign.models import processes
from semalign.models.random_state import same_random_state
from semalign.settings import TransferSettings
from semalign.training.loop import Training
from semalign.training.objective import Objective


class WholeBatch(NamedTuple):
    """The layer term of a whole batch, and its gradient for the states of each example, by trained layer."""

    layer: float
    gradients: dict[int, dict[int, Tensor]]


class Seen(NamedTuple):
    """Some examples, with the states and targets at their matched positions, by trained layer."""

    examples: list[int]
    states: dict[int, Tensor]
    targets: dict[int, Tensor]


class Steering(Training):
    """Training of some student layers on both terms of the objective.

    Args:
        objective: objective to minimise, with its supervision.
        checkpoint: file for the state, or None for no checkpoints.
        identity: hash of everything but the epochs that the run depends on; only a checkpoint with it is resumed.
        settings: epochs, batch size, learning rate and so on; by default those of the objective.
    """

    settings: TransferSettings
    _together: WholeBatch | None = None  # what several processes have prepared for a batch

    def __init__(
        self,
        objective: Objective,
        checkpoint: Path | None = None,
        identity: str = "",
        settings: TransferSettings | None = None,
    ) -> None:
        self.objective, self.supervision, self.student = objective, objective.supervision, objective.student
        self.trained_from = self.supervision.trained[0]
        super().__init__(
            objective, len(self.supervision.examples), settings or objective.settings, checkpoint, identity
        )

    def prepare(self, indices: Sequence[int]) -> None:
        """With ``centre_targets``, let several processes compute the gradient of the layer term of a batch."""
        if not self.settings.centre_targets or processes.count() == 1:
            return
        own = processes.share(indices)
        assert self.parts is not None
        # A process without examples runs one for its shapes, and gives no positions of it.
        seen = self.parts.retried(lambda: self._seen(self._parts(own or indices[:1])))
        self._together = self._whole_batch(seen if own else seen._replace(examples=[]))

    def backward(self, indices: Sequence[int]) -> dict[str, float]:
        """Add the gradient of the weighted objective on a batch of examples; return its two terms.

        Each term is summed over all positions of the batch and divided once by their number, so the size of the parts
        does not change it. Of several processes, each has its share of the examples.
        """
        positions = self.objective.positions(self.supervision.counts(indices))
        parts = self._parts(processes.share(indices))
        whole = self._together
        if self.settings.centre_targets and whole is None and len(parts) > 1:
            whole = self._whole_batch(self._seen(parts))
        layer_total, output_total = whole.layer if whole and processes.is_first() else 0.0, 0.0
        for part in parts:
            batch = self.supervision.batch(part)
            reached = self.objective(batch)
            if whole is None:
                layer = self.objective.layer_sum(reached.states, batch.targets, batch.matched.rows)
                layer_total += layer.item()
            else:
                # sum(states * gradient), with a constant gradient, has the same gradient with respect to the
                # parameters as the layer term of the whole batch.
                constants = {k: torch.cat([gradients[i] for i in part]) for k, gradients in whole.gradients.items()}
                layer = torch.stack([(reached.states[k] * constants[k]).sum() for k in reached.states]).sum()
            output_total += reached.output.item()
            terms = {"layer": layer / positions["layer"], "output": reached.output / positions["output"]}
            self.scale.backward(self.settings.objective(terms))
        return {"layer": layer_total / positions["layer"], "output": output_total / positions["output"]}

    def _seen(self, parts: Sequence[Sequence[int]]) -> Seen:
        """Return states and targets of all parts, in their order, computed without gradients."""
        batches, states = [], []
        with torch.no_grad(), same_random_state():  # backward() then draws the same dropout masks
            for part in parts:
                batches.append(self.supervision.batch(part))
                states.append(self.objective(batches[-1]).states)
        layers = self.supervision.trained
        return Seen(
            [i for part in parts for i in part],
            {k: torch.cat([each[k] for each in states]) for k in layers},
            {k: torch.cat([batch.targets[k] for batch in batches]) for k in layers},
        )

    def _whole_batch(self, seen: Seen) -> WholeBatch:
        """Return the layer term of a whole batch and its gradient with respect to the states of each example.

        Centring subtracts the mean of the batch, so the gradient of one part depends on all others. A first pass
        over the parts collects their states without gradients and differentiates the term with respect to these
        states; :meth:`backward` then propagates this gradient to the parameters, one part at a time. Of several
        processes, each has seen some of the examples and receives the states of the others.
        """
        counts = [len(self.supervision.matched[i].student) for i in seen.examples]
        rows = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts, dtype=torch.long))
        # The numbers of rows of all processes are different.
        rows, place = processes.joined((rows * processes.count() + processes.number()).to(self.supervision.device))
        leaves, targets = (
            {k: processes.joined(each[: sum(counts)])[0] for k, each in kind.items()}
            for kind in (seen.states, seen.targets)
        )
        total = self.objective.layer_sum({k: leaf.requires_grad_() for k, leaf in leaves.items()}, targets, rows)
        gradients = zip(leaves, torch.autograd.grad(total, list(leaves.values())), strict=True)
        return WholeBatch(
            total.item(), {k: dict(zip(seen.examples, each[place].split(counts), strict=True)) for k, each in gradients}
        )

    def _parts(self, indices: Sequence[int]) -> list[Sequence[int]]:
        """Return the parts of a batch that are processed one at a time; examples of similar length share a part."""
        assert self.parts is not None
        return self.parts.by_length(indices, [len(self.supervision.examples[i]) for i in indices])
