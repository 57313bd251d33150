"""The training objective (Section 4.3) on a batch, by a forward pass through the trained layer and those above it."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from semalign.architecture import Architecture
from semalign.capture import capture, run_from
from semalign.losses import LogitFreeCosine, layer_cosine_loss, output_cosine_loss
from semalign.settings import TransferSettings
from semalign.supervision import Batch, Supervision


class Terms(NamedTuple):
    """The two terms of the objective, each an average over its positions."""

    layer: Float[Tensor, ""]
    output: Float[Tensor, ""]


class Objective(nn.Module):
    """Both terms of the objective for a batch, from a forward pass through layers k..L only.

    Args:
        student: the adapted student.
        k: the trained layer.
        settings: which terms.
    """

    def __init__(self, student: Architecture, k: int, settings: TransferSettings) -> None:
        super().__init__()
        self.student, self.k, self.settings = student, k, settings
        self.logit_free = None
        if settings.output_loss != "cross_entropy" and student.logits_are_linear:
            self.logit_free = LogitFreeCosine(
                student.head_weight, settings.label_smoothing, settings.output_loss != "cosine"
            )

    def forward(self, batch: Batch) -> Terms:
        """Return the terms; gradients flow to layer k through all later layers."""
        with capture(self.student, [self.k], self.settings.interface) as states:
            final = run_from(self.student, self.k, batch.states, batch.attention_mask)
        return Terms(self._layer_term(states[self.k], batch), self.output_term(final[batch.output_at], batch.labels))

    def _layer_term(self, states: Tensor, batch: Batch) -> Tensor:
        reached, targets = states[batch.layer_at], batch.targets
        if self.settings.centre_targets:
            reached, targets = reached - reached.mean(0), targets - targets.mean(0)
        return layer_cosine_loss(_wide(reached), _wide(targets)) if len(targets) else states.sum() * 0

    def output_term(self, final: Float[Tensor, "n d"], labels: Tensor) -> Float[Tensor, ""]:
        """Return the output term for states that left the final norm."""
        if self.logit_free is not None:
            return 1 - self.logit_free(final, labels).mean()
        logits = self.student.logits(final)
        if self.settings.output_loss == "cross_entropy":
            return nn.functional.cross_entropy(_wide(logits), labels, label_smoothing=self.settings.label_smoothing)
        if self.settings.output_loss == "centred_cosine":
            raise ValueError("centred_cosine needs logits that are linear in the hidden state; use cosine")
        return output_cosine_loss(logits, labels, self.settings.label_smoothing)

    @torch.no_grad()
    def measure(self, supervision: Supervision, batch_size: int = 16) -> dict[str, float]:
        """Return layer cosine, output cosine and response NLL (nats a token), averaged over all positions."""
        totals, labelled, matched = torch.zeros(3, dtype=torch.float64), 0, 0
        for start in range(0, len(supervision.examples), batch_size):
            indices = range(start, min(start + batch_size, len(supervision.examples)))
            batch, counts = supervision.batch(indices), supervision.counts(indices)
            with capture(self.student, [self.k], self.settings.interface) as states:
                final = run_from(self.student, self.k, batch.states, batch.attention_mask)[batch.output_at]
            logits = _wide(self.student.logits(final))
            cosine = 1 - layer_cosine_loss(_wide(states[self.k][batch.layer_at]), _wide(batch.targets))
            nll = nn.functional.cross_entropy(logits, batch.labels)
            output = 1 - output_cosine_loss(logits, batch.labels)
            totals += torch.tensor([cosine * counts[1], output * counts[0], nll * counts[0]], dtype=torch.float64)
            labelled, matched = labelled + counts[0], matched + counts[1]
        layer, output_cosine, nll_mean = (totals / torch.tensor([matched, labelled, labelled])).tolist()
        return {"layer_cosine": layer, "output_cosine": output_cosine, "response_nll": nll_mean}


def _wide(tensor: Tensor) -> Tensor:
    """Return half-precision numbers as float32: averages over many positions need the digits."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))
