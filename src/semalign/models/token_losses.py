"""Losses of tokens, each from its state after the final norm, without the logits of all positions at once."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.utils.checkpoint import checkpoint

from semalign.models.architecture import Architecture
from semalign.models.logit_losses import cross_entropies
from semalign.models.precision import wide

LOGITS_AT_ONCE = 2**24  # positions x V of one part: matrix products with fewer rows take longer a row

Values = Callable[..., Tensor]


def token_losses(
    model: Architecture, states: Float[Tensor, "n d"], labels: Int[Tensor, " n"], label_smoothing: float = 0.0
) -> Float[Tensor, " n"]:
    """Return the cross-entropy of each label, ``-log softmax(z)_y`` in nats and at least float32; see :func:`by_parts`.

    Args:
        model: the model whose head turns states into logits z.
        states: states after the final norm.
        labels: token ids.
        label_smoothing: mass spread evenly over the vocabulary.
    """
    states = wide(states)
    logits = model.logits_of(states.dtype)

    def losses(states: Tensor, labels: Tensor) -> Tensor:
        return cross_entropies(logits(states), labels, label_smoothing)

    return by_parts(model, losses, states, labels)


def by_parts(model: Architecture, values: Values, states: Float[Tensor, "n d"], *others: Tensor) -> Float[Tensor, " n"]:
    """Return values that are functions of logits, computed in parts of at most :data:`LOGITS_AT_ONCE` logits.

    The gradient of a part with respect to its states is computed right after its values, when its logits are there,
    and is all that is kept: n x D numbers instead of n x V. If the head itself is trained, its gradient depends on
    what comes later; the backward pass then computes the logits of each part again.

    Args:
        model: the model whose head the values are computed with.
        values: function of rows of ``states`` and of ``others`` that returns a value for each row, which depends on
            that row alone. It may be differentiated once, with respect to the states and the head.
        states: states after the final norm.
        others: what else the values depend on, each of shape (n, ...), without gradients.
    """
    size = max(1, LOGITS_AT_ONCE // len(model.head_weight))
    parts = list(zip(*(each.split(size) for each in (states, *others)), strict=True))
    if torch.is_grad_enabled() and any(p.requires_grad for p in model.lm_head.parameters()):
        if len(parts) > 1:
            values = partial(checkpoint, values, use_reentrant=False, preserve_rng_state=False)
    elif torch.is_grad_enabled() and states.requires_grad:
        return _WithGradients.apply(values, size, states, *others)
    return torch.cat([values(*part) for part in parts])


class _WithGradients(torch.autograd.Function):
    """Values and their gradients with respect to the states, part by part, in the forward pass."""

    @staticmethod
    def forward(ctx: FunctionCtx, values: Values, size: int, states: Tensor, *others: Tensor) -> Tensor:
        found, gradients = [], []
        for part, *rest in zip(*(each.split(size) for each in (states, *others)), strict=True):
            leaf = part.detach().requires_grad_()
            with torch.enable_grad():
                each = values(leaf.view_as(leaf), *rest)  # hooks of PyTorch's counters do not bear a leaf here
                gradients += torch.autograd.grad(each.sum(), leaf)  # a row's value depends on that row alone
            found.append(each.detach())
            del each  # and its logits, before those of the next part are made
        ctx.save_for_backward(torch.cat(gradients))
        return torch.cat(found)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (of_states,) = ctx.saved_tensors
        return None, None, gradient[:, None] * of_states, *[None] * (len(ctx.needs_input_grad) - 3)
