"""The training objective (Section 4.3) on a batch, by a forward pass through the trained layer and those above it."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from semalign.models.architecture import Architecture
from semalign.models.capture import capture, run_from
from semalign.settings import TransferSettings
from semalign.targets.supervision import Batch, Supervision
from semalign.training.losses import LogitFreeCosine, kl_loss, layer_cosine_loss, output_cosine_loss, relation_loss


class Terms(NamedTuple):
    """The two terms of the objective, each an average over its positions."""

    layer: Float[Tensor, ""]
    output: Float[Tensor, ""]


class TeacherHead(NamedTuple):
    """The teacher's LM head, and the tokens that both models have: ids in its vocabulary and in the student's."""

    architecture: Architecture
    teacher_ids: Int[Tensor, " shared"]
    student_ids: Int[Tensor, " shared"]


class Objective(nn.Module):
    """Both terms of the objective for a batch, from a forward pass through layers k..L only.

    Args:
        student: the adapted student.
        k: the trained layer.
        settings: which terms.
        projection: first value of a linear map from the student's states to the targets, which trains along and is
            not kept; None for targets that are in the student's space.
        teacher_head: what the teacher's logits are made with, for the KL terms only.
    """

    def __init__(
        self,
        student: Architecture,
        k: int,
        settings: TransferSettings,
        projection: Float[Tensor, "d_student d_target"] | None = None,
        teacher_head: TeacherHead | None = None,
    ) -> None:
        super().__init__()
        self.student, self.k, self.settings, self.teacher_head = student, k, settings, teacher_head
        self.adapted = student.model  # its parameters are the objective's, beside those of the projection
        self.projection = (
            None if projection is None else nn.Parameter(projection.clone(memory_format=torch.contiguous_format))
        )
        self.logit_free = None
        if "cosine" in settings.output_loss and student.logits_are_linear:
            self.logit_free = LogitFreeCosine(
                student.head_weight, settings.label_smoothing, settings.output_loss != "cosine"
            )

    def forward(self, batch: Batch) -> Terms:
        """Return the terms; gradients flow to layer k through all later layers."""
        with capture(self.student, [self.k], self.settings.interface) as states:
            final = run_from(self.student, self.k, batch.states, batch.attention_mask)
        if batch.teacher_final is None:
            output = self.output_term(final[batch.output_at], batch.labels)
        else:
            output = self._distillation_term(final, batch)
        return Terms(self._layer_term(states[self.k], batch), output)

    def _layer_term(self, states: Tensor, batch: Batch) -> Tensor:
        if not len(batch.targets):
            return states.sum() * 0
        reached, targets = self._projected(states[batch.layer_at]), _wide(batch.targets)
        if self.settings.centre_targets:
            reached, targets = reached - reached.mean(0), targets - targets.mean(0)
        if self.settings.layer_loss == "mean_square":
            return nn.functional.mse_loss(reached, targets)
        if self.settings.layer_loss == "relation":
            mask = torch.zeros_like(batch.attention_mask, dtype=torch.bool)
            mask[batch.layer_at] = True
            ours, theirs = (
                x.new_zeros(*mask.shape, x.shape[1]).index_put(batch.layer_at, x) for x in (reached, targets)
            )
            return relation_loss(ours, theirs, mask)
        return layer_cosine_loss(reached, targets)

    def _projected(self, reached: Float[Tensor, "n d"]) -> Float[Tensor, "n d_target"]:
        """Return states in the space of their targets."""
        return _wide(reached) if self.projection is None else reached.to(self.projection.dtype) @ self.projection

    def _distillation_term(self, final: Tensor, batch: Batch) -> Tensor:
        """Return the divergence from the teacher over the shared tokens, where the teacher has read the same text."""
        if self.teacher_head is None or batch.teacher_final is None:
            raise ValueError("a term on the teacher's logits needs its head and its final states")
        if not len(batch.targets):
            return final.sum() * 0
        teacher, teacher_ids, student_ids = self.teacher_head
        with torch.no_grad():
            theirs = teacher.logits(batch.teacher_final.to(teacher.device))[:, teacher_ids].to(final.device)
        ours = self.student.logits(final[batch.layer_at])[:, student_ids]
        return kl_loss(_wide(ours), _wide(theirs), reverse=self.settings.output_loss == "reverse_kl")

    def output_term(self, final: Float[Tensor, "n d"], labels: Tensor) -> Float[Tensor, ""]:
        """Return the output term to the labels, for states that left the final norm."""
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
        """Return layer cosine, output cosine and response NLL (nats a token), averaged over all positions.

        There is no layer cosine where the targets are in another space than the states.
        """
        totals, labelled, matched = torch.zeros(3, dtype=torch.float64), 0, 0
        for start in range(0, len(supervision.examples), batch_size):
            indices = range(start, min(start + batch_size, len(supervision.examples)))
            batch, counts = supervision.batch(indices), supervision.counts(indices)
            with capture(self.student, [self.k], self.settings.interface) as states:
                final = run_from(self.student, self.k, batch.states, batch.attention_mask)[batch.output_at]
            logits = _wide(self.student.logits(final))
            reached, targets = self._projected(states[self.k][batch.layer_at]), _wide(batch.targets)
            comparable = reached.shape == targets.shape
            cosine = 1 - layer_cosine_loss(reached, targets) if comparable else torch.tensor(0.0)
            nll = nn.functional.cross_entropy(logits, batch.labels)
            output = 1 - output_cosine_loss(logits, batch.labels)
            totals += torch.tensor([cosine * counts[1], output * counts[0], nll * counts[0]], dtype=torch.float64)
            labelled, matched = labelled + counts[0], matched + counts[1]
        layer, output_cosine, nll_mean = (totals / torch.tensor([matched, labelled, labelled])).tolist()
        measured = {"layer_cosine": layer, "output_cosine": output_cosine, "response_nll": nll_mean}
        return {name: value for name, value in measured.items() if comparable or name != "layer_cosine"}


def _wide(tensor: Tensor) -> Tensor:
    """Return half-precision numbers as float32: averages over many positions need the digits."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))
