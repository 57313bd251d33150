"""Steering (Section 4.3): train the paired student layers through LoRA while everything else is frozen."""

from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from semalign.models import processes
from semalign.settings import TransferSettings
from semalign.training.loop import Training, slices
from semalign.training.objective import Objective


class WholeBatch(NamedTuple):
    """The layer term of a whole batch, and its gradient with respect to the states of each part, by trained layer."""

    layer: float
    gradients: dict[int, Sequence[Tensor]]


class Seen(NamedTuple):
    """States and targets of a part of a batch by trained layer, and the row of each position."""

    states: dict[int, Tensor]
    targets: dict[int, Tensor]
    rows: Tensor


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
        does not change it. Of several processes, each has its share of the examples.
        """
        positions = self.objective.positions(self.supervision.counts(indices))
        parts = self._parts(processes.share(indices))
        apart = len(parts) > 1 or processes.count() > 1
        whole = self._whole_batch(parts, indices) if self.settings.centre_targets and apart else None
        layer_total, output_total = whole.layer if whole and processes.is_first() else 0.0, 0.0
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

    def _whole_batch(self, parts: Sequence[Sequence[int]], indices: Sequence[int]) -> WholeBatch:
        """Return the layer term of a whole batch and its gradient with respect to the states of each part.

        Centring subtracts the mean of the batch, so the gradient of one part depends on all others. A first pass
        over the parts collects their states without gradients and differentiates the term with respect to these
        states; :meth:`backward` then propagates this gradient to the parameters, one part at a time. Of several
        processes, each has some of the parts and receives the states of the others.
        """
        with torch.no_grad(), torch.random.fork_rng():  # backward() then draws the same dropout masks
            # A process without examples runs one for its shapes, and gives no positions of it.
            seen = [self._seen(part) for part in parts or [indices[:1]]]
        sizes = [len(each.rows) for each in seen] if parts else [0]
        # Row numbers within a part become row numbers within the batch.
        starts = accumulate(map(len, parts), initial=0)
        rows = torch.cat([each.rows + start for each, start in zip(seen, starts, strict=False)])
        rows, place = processes.joined(rows[: sum(sizes)] * processes.count() + processes.number())
        leaves, targets = (
            {k: processes.joined(torch.cat([each[k] for each in part])[: sum(sizes)])[0] for k in part[0]}
            for part in ([each.states for each in seen], [each.targets for each in seen])
        )
        total = self.objective.layer_sum({k: leaf.requires_grad_() for k, leaf in leaves.items()}, targets, rows)
        gradients = zip(leaves, torch.autograd.grad(total, list(leaves.values())), strict=True)
        return WholeBatch(total.item(), {k: each[place].split(sizes) for k, each in gradients})

    def _seen(self, part: Sequence[int]) -> Seen:
        """Return what the layer term needs of a part of a batch."""
        batch = self.supervision.batch(part)
        return Seen(self.objective(batch).states, batch.targets, batch.matched.rows)

    def _parts(self, indices: Sequence[int]) -> list[Sequence[int]]:
        """Return the parts of a batch that are processed one at a time; examples of similar length share a part."""
        if self.settings.micro_batch_size is None:
            return [indices] if len(indices) else []
        by_length = sorted(indices, key=lambda i: len(self.supervision.examples[i]))
        return list(slices(by_length, self.settings.micro_batch_size))
