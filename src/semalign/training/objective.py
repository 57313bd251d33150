"""The training objective (Section 4.3) on a batch, from a forward pass that starts at the first trained layer."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from semalign.models import processes
from semalign.models.architecture import Architecture
from semalign.models.batching import FittingParts
from semalign.models.capture import capture, run_from
from semalign.models.evaluating import evaluating
from semalign.models.precision import wide
from semalign.settings import TransferSettings
from semalign.targets.supervision import Batch, Counts, Supervision
from semalign.training.layer_losses import LAYER_LOSSES
from semalign.training.losses import cosines_of_logits
from semalign.training.output_terms import OUTPUT_TERMS

States = Mapping[int, Float[Tensor, "n *heads _"]]


class Reached(NamedTuple):
    """The result of a forward pass on a batch.

    Attributes:
        states: states at the matched positions by trained layer, projected if a projection is learned; at the interface
            ``heads`` a position has one for each head.
        output: the values of the output term, summed over its positions.
    """

    states: dict[int, Float[Tensor, "n ... _"]]
    output: Float[Tensor, ""]


class Objective(nn.Module):
    """Both terms of the objective as sums over positions, which training divides by the positions of the whole batch.

    Args:
        student: the adapted student.
        supervision: the data that the student learns from.
        settings: settings that choose the terms.
    """

    def __init__(self, student: Architecture, supervision: Supervision, settings: TransferSettings) -> None:
        super().__init__()
        self.student, self.supervision, self.settings = student, supervision, settings
        self.adapted = student.model  # a submodule, so that its parameters are the objective's
        self.layer_loss = LAYER_LOSSES[settings.layer_loss]
        self.output_term = OUTPUT_TERMS[settings.output_loss](student, settings, supervision.teacher_head)
        self.projections = nn.ParameterDict(
            {
                str(layer.k): nn.Parameter(layer.projection.clone(memory_format=torch.contiguous_format))
                for layer in supervision.layers
                if layer.projection is not None
            }
        )

    def forward(self, batch: Batch) -> Reached:
        """Return states and output term on a batch; gradients flow to the trained layers through all later layers."""
        layers = self.supervision.trained
        with capture(self.student, layers, self.settings.interface) as states:
            final = run_from(self.student, layers[0], batch.states, batch.attention_mask)  # (batch, tokens, D)
        at = batch.matched if self.output_term.needs_teacher else batch.labelled
        # Without positions the term is a zero that still has a gradient.
        output = self._output(wide(final[at]), batch) if len(at.rows) else wide(final).sum() * 0
        return Reached({k: self._projected(k, states[k][batch.matched]) for k in layers}, output)

    def _output(self, states: Float[Tensor, "n d"], batch: Batch) -> Float[Tensor, ""]:
        values = self.output_term(states, batch)
        name = f"output term {self.settings.output_loss!r}"
        return _checked(values, len(states), name, self.settings.output_weight).sum()

    def _projected(self, k: int, states: Float[Tensor, "n *heads d"]) -> Float[Tensor, "n *heads d_target"]:
        """Return the states of layer ``k`` in the space of their targets."""
        projection = self.projections[str(k)] if str(k) in self.projections else None
        return wide(states) if projection is None else states.to(projection.dtype) @ projection

    def layer_sum(self, states: States, targets: States, rows: Int[Tensor, " n"]) -> Float[Tensor, ""]:
        """Return the layer loss, summed over positions and averaged over the trained layers.

        With ``centre_targets``, the means of the given states and targets are subtracted first, so the arguments must
        be those of a whole batch.

        Args:
            states: the student's states by trained layer, each of shape (n, D_target), or (n, heads, D_target), where
                the loss is the mean over heads of that of each head alone.
            targets: their targets by trained layer, of the same shape unless the loss compares across spaces.
            rows: the row of the batch that each position belongs to, shape (n,).
        """
        total = sum((self._layer_sum(states[k], targets[k], rows) for k in states), torch.tensor(0.0))
        return total / len(states)

    def _layer_sum(self, states: Tensor, targets: Tensor, rows: Tensor) -> Float[Tensor, ""]:
        if not len(targets):
            return states.sum() * 0
        if self.settings.centre_targets:
            states, targets = states - states.mean(0), targets - targets.mean(0)
        heads = _heads(states)
        # Head by head, and each head of a row with a number of its own: a loss may compare the positions of a row.
        numbers = torch.arange(heads, device=rows.device)[:, None] + heads * rows  # (heads, n)
        values = self.layer_loss.values(_head_by_head(states), _head_by_head(targets), numbers.flatten())
        name = f"layer loss {self.settings.layer_loss!r}"
        return _checked(values, numbers.numel(), name, self.settings.layer_weight).sum() / heads

    def positions(self, counts: Counts) -> dict[str, int]:
        """Return the number of positions that each term is averaged over, at least one."""
        output = counts.matched if self.output_term.needs_teacher else counts.labelled
        return {"layer": max(counts.matched, 1), "output": max(output, 1)}

    def measure(self, supervision: Supervision, batch_size: int = 16) -> dict[str, float]:
        """Return the mean layer cosine, over positions and trained layers, and the mean output cosine, over positions.

        The layer cosine is left out if states and targets are in different spaces. At most ``batch_size`` examples are
        computed at once, fewer if these do not fit the memory.
        """
        parts = FittingParts(self.student, batch_size, logits=True)
        own = processes.share(range(len(supervision.examples)))
        compute, layer_sum, output_sum = partial(self._cosine_sums, supervision), 0.0, 0.0
        with evaluating(self):
            for layer, output in parts.results(compute, own, [len(supervision.examples[i]) for i in own]):
                layer_sum, output_sum = layer_sum + layer, output_sum + output
        counts = supervision.counts(range(len(supervision.examples)))
        totals = processes.sums({"layer": layer_sum, "output": output_sum})
        comparable = any(layer.comparable for layer in supervision.layers)
        measured = {"layer_cosine": totals["layer"] / counts.matched} if comparable else {}
        return {**measured, "output_cosine": totals["output"] / counts.labelled}

    def _cosine_sums(self, supervision: Supervision, indices: Sequence[int]) -> tuple[float, float]:
        """Return the cosines of some examples, summed over positions: of the layers, on average, and of the output."""
        batch = supervision.batch(indices)
        compared = [layer.k for layer in supervision.layers if layer.comparable]
        layer_sum = 0.0
        with capture(self.student, supervision.trained, self.settings.interface) as states:
            final = run_from(self.student, supervision.trained[0], batch.states, batch.attention_mask)
        for k in compared:
            reached = self._projected(k, states[k][batch.matched])
            one_by_one = reached.flatten(0, -2), batch.targets[k].flatten(0, -2)  # (n heads, D)
            cosines = nn.functional.cosine_similarity(*one_by_one, dim=-1)
            layer_sum += cosines.double().sum().item() / (len(compared) * _heads(reached))
        cosines = cosines_of_logits(self.student, wide(final[batch.labelled]), batch.labels)
        return layer_sum, cosines.double().sum().item()


def _checked(values: Any, n: int, name: str, weight: float) -> Float[Tensor, " n"]:
    """Return the values of a loss, of which there must be one for each position, with a gradient if it has a weight.

    Training divides their sum by the positions of the whole batch, so that a mean would change with the parts.
    """
    if not isinstance(values, Tensor) or values.shape != (n,):
        shape = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
        raise ValueError(f"the {name} returned {shape} for {n} positions: return one value for each, of shape ({n},)")
    if weight and torch.is_grad_enabled() and not values.requires_grad:
        raise ValueError(f"the {name} returned values without a gradient: compute them from the states it is given")
    return values


def _heads(states: Tensor) -> int:
    """Return how many states a position has."""
    return states.shape[1] if states.dim() > 2 else 1


def _head_by_head(states: Float[Tensor, "n *heads d"]) -> Float[Tensor, "each d"]:
    """Return the states of all positions for the first head, then for the next one, and so on."""
    return states.transpose(0, -2).flatten(0, -2)
