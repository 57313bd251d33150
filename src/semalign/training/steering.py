"""Steering (Section 4.3): train the paired student layers through LoRA while everything else is frozen."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from semalign.settings import TransferSettings
from semalign.training.loop import Training, slices
from semalign.training.objective import Objective


class WholeBatch(NamedTuple):
    """The layer term of a whole batch, and its gradient with respect to the states of each part, by trained layer."""

    layer: float
    gradients: dict[int, Sequence[Tensor]]


class Steering(Training):
    """Training of some student layers on both terms of the objective.

    Args:
        objective: objective to minimise, with its supervision.
        checkpoint: file for the state, or None for no checkpoints.
        identity: hash of everything but the epochs that the run depends on; only a checkpoint with it is resumed.
        settings: epochs, batch size, learning rate and so on; by default those of the objective.
    """

    settings: TransferSettings

    def __init__(
        self,
        objective: Objective,
        checkpoint: Path | None = None,
        identity: str = "",
        settings: TransferSettings | None = None,
    ) -> None:
        self.objective, self.supervision, self.student = objective, objective.supervision, objective.student
        super().__init__(
            objective, len(self.supervision.examples), settings or objective.settings, checkpoint, identity
        )

    def backward(self, indices: Sequence[int]) -> dict[str, float]:
        """Add the gradient of the weighted objective on a batch of examples; return its two terms.

        Each term is summed over all positions of the batch and divided once by their number, so the size of the parts
        does not change it.
        """
        positions = self.objective.positions(self.supervision.counts(indices))
        parts = self._parts(indices)
        whole = self._whole_batch(parts) if self.settings.centre_targets and len(parts) > 1 else None
        layer_total, output_total = 0.0 if whole is None else whole.layer, 0.0
        for number, part in enumerate(parts):
            batch = self.supervision.batch(part)
            reached = self.objective(batch)
            if whole is None:
                layer = self.objective.layer_sum(reached.states, batch.targets, batch.matched.rows)
                layer_total += layer.item()
            else:
                # sum(states * gradient), with a constant gradient, has the same gradient with respect to the
                # parameters as the layer term of the whole batch.
                products = [(reached.states[k] * whole.gradients[k][number]).sum() for k in reached.states]
                layer = torch.stack(products).sum()
            output_total += reached.output.item()
            terms = {"layer": layer / positions["layer"], "output": reached.output / positions["output"]}
            self.scale.backward(self.settings.objective(terms))
        return {"layer": layer_total / positions["layer"], "output": output_total / positions["output"]}

    def _whole_batch(self, parts: Sequence[Sequence[int]]) -> WholeBatch:
        """Return the layer term of all parts together and its gradient with respect to their states.

        Centring subtracts the mean of the batch, so the gradient of one part depends on all others. A first pass
        over the parts collects their states without gradients and differentiates the term with respect to these
        states; :meth:`backward` then propagates this gradient to the parameters, one part at a time.
        """
        states: list[dict[int, Tensor]] = []
        targets: list[dict[int, Tensor]] = []
        rows: list[Tensor] = []
        with torch.no_grad(), torch.random.fork_rng():  # backward() then draws the same dropout masks
            for part in parts:
                batch = self.supervision.batch(part)
                states.append(self.objective(batch).states)
                targets.append(batch.targets)
                # Row numbers within a part become row numbers within the batch.
                rows.append(batch.matched.rows + sum(len(earlier) for earlier in parts[: len(rows)]))
        leaves = {k: torch.cat([each[k] for each in states]).requires_grad_() for k in self.supervision.trained}
        total = self.objective.layer_sum(
            leaves, {k: torch.cat([each[k] for each in targets]) for k in leaves}, torch.cat(rows)
        )
        sizes = [len(each) for each in rows]
        gradients = torch.autograd.grad(total, list(leaves.values()))
        return WholeBatch(total.item(), {k: each.split(sizes) for k, each in zip(leaves, gradients, strict=True)})

    def _parts(self, indices: Sequence[int]) -> list[Sequence[int]]:
        """Return the parts of a batch that are processed one at a time; examples of similar length share a part."""
        if self.settings.micro_batch_size is None:
            return [indices]
        by_length = sorted(indices, key=lambda i: len(self.supervision.examples[i]))
        return list(slices(by_length, self.settings.micro_batch_size))
