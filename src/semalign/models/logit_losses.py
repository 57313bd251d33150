"""Losses whose logits are replaced by their gradient: no second matrix of positions x V is needed.

Autograd keeps ``log_softmax(z)`` and makes two more matrices of that size in the backward pass. Both gradients here
have a closed form, which is written over the logits in the forward pass.
"""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable


def cross_entropies(
    logits: Float[Tensor, "n v"], labels: Int[Tensor, " n"], label_smoothing: float = 0.0
) -> Float[Tensor, " n"]:
    """Return ``-sum(y * log softmax(z))`` at every position, in nats, with ``y = (1 - eps) onehot + eps / V``.

    Args:
        logits: logits z, which are overwritten: no one else may need them.
        labels: token ids.
        label_smoothing: eps.
    """
    return _CrossEntropies.apply(logits, labels, label_smoothing)


def kl_of_logits(
    teacher_logits: Float[Tensor, "n v"], logits: Float[Tensor, "n v"], *, reverse: bool = False
) -> Float[Tensor, " n"]:
    """Return ``KL(p_T || p_S)`` at every position, in nats, or ``KL(p_S || p_T)`` with ``reverse``.

    Args:
        teacher_logits: the teacher's logits, without gradients; they are overwritten.
        logits: the student's logits; they are overwritten: no one else may need them.
        reverse: as in :func:`semalign.training.losses.kl_loss`.
    """
    return _KL.apply(logits, teacher_logits, reverse)


def _log_softmax(logits: Tensor) -> Tensor:
    """Write the logarithms of the probabilities over logits."""
    return torch.log_softmax(logits, -1, out=logits)


class _ByGradient(torch.autograd.Function):
    """A function of logits that has saved its gradient with respect to them."""

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (of_logits,) = ctx.saved_tensors
        return of_logits.mul_(gradient[:, None]), None, None


class _CrossEntropies(_ByGradient):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, labels: Tensor, smoothing: float) -> Tensor:
        log_p, labels = _log_softmax(logits), labels[:, None]
        values = (smoothing - 1) * log_p.gather(1, labels)[:, 0]
        if smoothing:
            values -= smoothing * log_p.mean(-1)
        if ctx.needs_input_grad[0]:
            gradient = log_p.exp_()  # dz = softmax(z) - y
            gradient.scatter_add_(1, labels, gradient.new_full(labels.shape, smoothing - 1))
            if smoothing:
                gradient -= smoothing / logits.shape[1]
            ctx.save_for_backward(gradient)
        return values


class _KL(_ByGradient):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, teacher_logits: Tensor, reverse: bool) -> Tensor:
        log_p, log_q = _log_softmax(teacher_logits.to(logits.dtype)), _log_softmax(logits)
        if reverse:  # KL = sum q (log q - log p), and dz = q (log q - log p - KL)
            q = log_q.exp()
            values = torch.linalg.vecdot(q, log_q.sub_(log_p))
            gradient = log_q.sub_(values[:, None]).mul_(q)
        else:  # KL = sum p (log p - log q), and dz = q - p
            p = log_p.exp()
            values = torch.linalg.vecdot(p, log_p.sub_(log_q))
            gradient = log_q.exp_().sub_(p)
        ctx.save_for_backward(gradient)
        return values
