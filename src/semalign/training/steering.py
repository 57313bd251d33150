"""Steering (Section 4.3): train the paired student layers through LoRA, everything else frozen."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from semalign.settings import TransferSettings
from semalign.training.loop import Training, slices
from semalign.training.objective import Objective


class WholeBatch(NamedTuple):
    """The layer term of a whole batch, and for each trained layer its gradient by the states of each part."""

    layer: float
    gradients: dict[int, Sequence[Tensor]]


class Steering(Training):
    """Training of some layers by both terms of the objective.

    Args:
        objective: what to minimise, with the supervision that it learns from.
        checkpoint: file for the state after each epoch, or None to keep none.
        identity: what the run depends on; a checkpoint of another identity is not resumed.
        settings: epochs, batch size, learning rate and so on; by default the objective's.
    """

    settings: TransferSettings

    def __init__(
        self,
        objective: Objective,
        checkpoint: Path | None = None,
        identity: str = "",
        settings: TransferSettings | None = None,
    ) -> None:
        self.objective, self.supervision = objective, objective.supervision
        super().__init__(
            objective, len(self.supervision.examples), settings or objective.settings, checkpoint, identity
        )

    def backward(self, indices: Sequence[int]) -> dict[str, float]:
        """Add the gradient of the weighted terms on some examples; return the two terms.

        Each term is its sum over all positions of the batch, divided once, whatever the size of the parts.
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
            else:  # <states, gradient> has the gradient of the term on the whole batch
                products = [(reached.states[k] * whole.gradients[k][number]).sum() for k in reached.states]
                layer = torch.stack(products).sum()
            output_total += reached.output.item()
            terms = {"layer": layer / positions["layer"], "output": reached.output / positions["output"]}
            self.settings.objective(terms).backward()
        return {"layer": layer_total / positions["layer"], "output": output_total / positions["output"]}

    def _whole_batch(self, parts: Sequence[Sequence[int]]) -> WholeBatch:
        """Return the layer term of all parts together and its gradient by their states.

        Centring ties the positions of a batch to each other, so that no part has a gradient of its own. A first pass
        over the parts keeps their states only; the passes that follow send the gradient on from there.
        """
        states: list[dict[int, Tensor]] = []
        targets: list[dict[int, Tensor]] = []
        rows: list[Tensor] = []
        with torch.no_grad(), torch.random.fork_rng():  # the passes that follow draw the same dropout again
            for part in parts:
                batch = self.supervision.batch(part)
                states.append(self.objective(batch).states)
                targets.append(batch.targets)
                rows.append(batch.matched.rows + sum(len(earlier) for earlier in parts[: len(rows)]))
        leaves = {k: torch.cat([each[k] for each in states]).requires_grad_() for k in self.supervision.trained}
        total = self.objective.layer_sum(
            leaves, {k: torch.cat([each[k] for each in targets]) for k in leaves}, torch.cat(rows)
        )
        sizes = [len(each) for each in rows]
        gradients = torch.autograd.grad(total, list(leaves.values()))
        return WholeBatch(total.item(), {k: each.split(sizes) for k, each in zip(leaves, gradients, strict=True)})

    def _parts(self, indices: Sequence[int]) -> list[Sequence[int]]:
        """Return the parts of a batch that are in memory at once; examples of like length share one."""
        if self.settings.micro_batch_size is None:
            return [indices]
        by_length = sorted(indices, key=lambda i: len(self.supervision.examples[i]))
        return list(slices(by_length, self.settings.micro_batch_size))
