"""The two cosine losses of Section 4.3, with and without logits, and the losses that they are compared with."""

from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import cosine_similarity

from semalign.bases.gram import head_gram
from semalign.data.rows import IGNORED
from semalign.models.architecture import Architecture
from semalign.models.precision import wide, wide_type
from semalign.models.token_losses import by_parts


def layer_cosine_loss(
    hidden_states: Float[Tensor, "*batch d"],
    targets: Float[Tensor, "*batch d"],
    mask: Bool[Tensor, "*batch"] | None = None,
) -> Float[Tensor, ""]:
    """Return ``L_layer = 1 - Avg[cos(h, h*)]`` over supervised positions.

    It is the formula that the registered layer loss ``cosine`` is tested against.

    Args:
        hidden_states: states of student layer k at the supervision interface, shape (..., D).
        targets: semantics-preserving targets h*, constants of the same shape; their norm does not matter.
        mask: which positions are supervised, shape (...); by default all.
    """
    cosines = cosine_similarity(wide(hidden_states), wide(targets), dim=-1)
    return 1 - (cosines.mean() if mask is None else cosines[mask].mean())


def output_cosine_loss(
    logits: Float[Tensor, "*batch v"], labels: Int[Tensor, "*batch"], label_smoothing: float = 0.0
) -> Float[Tensor, ""]:
    """Return ``L_out = 1 - Avg[cos(z, y)]``, y one-hot or label-smoothed, over positions with a label.

    It is the formula that the registered output term ``cosine`` is tested against.

    Args:
        logits: final logits z, shape (..., V), shifted so that position i predicts label i.
        labels: token ids, shape (...), -100 where there is no supervision.
        label_smoothing: mass spread evenly over the vocabulary: ``y = (1 - eps) onehot + eps / V``.
    """
    supervised = labels != IGNORED
    return 1 - output_cosines(logits[supervised], labels[supervised], label_smoothing).mean()


def output_cosines(
    logits: Float[Tensor, "n v"], labels: Int[Tensor, " n"], label_smoothing: float = 0.0
) -> Float[Tensor, " n"]:
    """Return ``cos(z, y)`` at every position; see :func:`output_cosine_loss`."""
    logits = wide(logits)
    y = torch.full_like(logits, label_smoothing / logits.shape[-1])
    y.scatter_add_(-1, labels[:, None], torch.full_like(logits[:, :1], 1 - label_smoothing))
    return cosine_similarity(logits, y, dim=-1)


def cosines_of_logits(
    student: Architecture, states: Float[Tensor, "n d"], labels: Int[Tensor, " n"], label_smoothing: float = 0.0
) -> Float[Tensor, " n"]:
    """Return :func:`output_cosines` of states after the final norm, with few logits in memory at once."""
    logits = student.logits_of(states.dtype)
    return by_parts(student, lambda h, y: output_cosines(logits(h), y, label_smoothing), states, labels)


def relation_loss(
    hidden_states: Float[Tensor, "batch tokens d"],
    targets: Float[Tensor, "batch tokens d_target"],
    mask: Bool[Tensor, "batch tokens"],
) -> Float[Tensor, ""]:
    """Return ``Avg_i Avg_j (cos(h_i, h_j) - cos(t_i, t_j))^2`` over supervised positions i and j of the same example.

    The paper's second version calls this "token-token relation geometry". States h and targets t are centred over the
    supervised positions of their example. Only cosines within each space are compared, so the spaces may differ.
    The registered layer loss ``relation`` gives the same values position by position, by :func:`relation_differences`.

    Args:
        hidden_states: student states, shape (batch, tokens, D).
        targets: targets, shape (batch, tokens, D_target), of any width.
        mask: which positions are supervised, shape (batch, tokens), at least one.
    """
    return relation_differences(hidden_states, targets, mask)[mask].mean()


def relation_differences(
    hidden_states: Float[Tensor, "batch tokens d"],
    targets: Float[Tensor, "batch tokens d_target"],
    mask: Bool[Tensor, "batch tokens"],
) -> Float[Tensor, "batch tokens"]:
    """Return ``Avg_j (cos(h_i, h_j) - cos(t_i, t_j))^2`` for every position i; see :func:`relation_loss`."""
    difference = _relations(wide(hidden_states), mask) - _relations(wide(targets), mask)
    return difference.square().sum(-1) / mask.sum(1, keepdim=True).clamp_min(1)


def _relations(states: Tensor, mask: Tensor) -> Float[Tensor, "batch tokens tokens"]:
    """Return the cosines of the centred states of each example with each other."""
    kept = states * mask[..., None]
    mean = kept.sum(1, keepdim=True) / mask.sum(1)[:, None, None].clamp_min(1)  # (batch, 1, D)
    unit = nn.functional.normalize((kept - mean) * mask[..., None], dim=-1)
    return unit @ unit.mT  # zero wherever one of the two positions is outside the mask


def kl_loss(
    teacher_logits: Float[Tensor, "n v"], logits: Float[Tensor, "n v"], *, reverse: bool = False
) -> Float[Tensor, ""]:
    """Return ``Avg[KL(p_T || p_S)]`` in nats, or ``Avg[KL(p_S || p_T)]`` with ``reverse``; p is the softmax of logits.

    It is the formula that the registered output terms ``kl`` and ``reverse_kl`` are tested against.

    Args:
        teacher_logits: the teacher's logits, shape (n, V).
        logits: the student's logits at the same positions, with columns in the same order.
        reverse: whether to take the expectation under the student (mode-seeking) instead of the teacher
            (mode-covering).
    """
    return kl_divergences(teacher_logits, logits, reverse=reverse).mean()


def kl_divergences(
    teacher_logits: Float[Tensor, "n v"], logits: Float[Tensor, "n v"], *, reverse: bool = False
) -> Float[Tensor, " n"]:
    """Return the divergence of :func:`kl_loss` at every position."""
    log_p, log_q = (nn.functional.log_softmax(wide(z), dim=-1) for z in (teacher_logits, logits))
    if reverse:
        log_p, log_q = log_q, log_p
    return (log_p.exp() * (log_p - log_q)).sum(-1)


class LogitFreeCosine(nn.Module):
    """Cosines of logits ``z = W h`` with their labels, computed from h without z: D^2 instead of V D work a position.

    Three identities replace the logits: ``<z, onehot_y> = w_y . h``, ``sum(z) = h . (sum of rows of W)`` and
    ``|z|^2 = h^T (W^T W) h``. The Gram matrix ``W^T W``, shape (D, D), is computed once for equal
    heads, or comes from the basis of the head. If logits are linear in h,
    the values and gradients equal those of :func:`output_cosines`. All of it is computed in float32 or wider, because
    ``|z|^2`` is a sum over the vocabulary that overflows float16.

    Args:
        weight: LM head W, shape (V, D).
        label_smoothing: as in :func:`output_cosine_loss`.
        centred: whether to take the cosine of ``z - mean(z)`` and ``y - mean(y)``. A common shift of all logits,
            which changes no probability, then does not change the loss either.
    """

    def __init__(self, weight: Float[Tensor, "v d"], label_smoothing: float = 0.0, centred: bool = False) -> None:
        super().__init__()
        self.weight = weight.detach()
        self.smoothing = label_smoothing
        self.centred = centred
        self.gram = head_gram(self.weight).to(wide_type(weight.dtype))
        self.row_sum = self.weight.sum(0, dtype=torch.float64).to(self.gram.dtype)

    def forward(self, states: Float[Tensor, "n d"], labels: Int[Tensor, " n"]) -> Float[Tensor, " n"]:
        """Return ``cos(z, y)`` for states after the final norm, shape (n, D), and their labels, shape (n,)."""
        v, eps, states = len(self.weight), self.smoothing, wide(states)
        squared_norm = _SquaredNorms.apply(states, self.gram)  # |z|^2, shape (n,)
        total = states @ self.row_sum  # sum(z), shape (n,)
        # y = (1 - eps) onehot + eps / V: its product with z, and its squared norm.
        dot = (1 - eps) * (wide(self.weight[labels]) * states).sum(-1) + eps / v * total
        y_squared_norm = (1 - eps) ** 2 + (2 * (1 - eps) * eps + eps**2) / v
        if self.centred:  # <z - mean(z), y - mean(y)> = <z, y> - sum(z) sum(y) / V, and sum(y) = 1
            squared_norm, dot, y_squared_norm = squared_norm - total**2 / v, dot - total / v, y_squared_norm - 1 / v
        return dot / (squared_norm * y_squared_norm).clamp_min(1e-16).sqrt()


class _SquaredNorms(torch.autograd.Function):
    """``h^T G h`` of each state h, for a symmetric G: its gradient ``2 G h`` needs no second product with G."""

    @staticmethod
    def forward(ctx: Any, states: Tensor, gram: Tensor) -> Tensor:
        product = states @ gram
        ctx.save_for_backward(product)
        return torch.linalg.vecdot(product, states)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (product,) = ctx.saved_tensors
        return 2 * gradient[:, None] * product, None
