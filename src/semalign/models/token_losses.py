"""The cross-entropy of tokens, from states after the final norm, without the logits of all positions at once."""

from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from semalign.models.architecture import Architecture
from semalign.models.precision import wide

LOGITS_AT_ONCE = 2**24  # positions x V of one part


def token_losses(model: Architecture, states: Float[Tensor, "n d"], labels: Int[Tensor, " n"]) -> Float[Tensor, " n"]:
    """Return the cross-entropy of each label, in nats and at least float32.

    The positions are computed in parts of at most :data:`LOGITS_AT_ONCE` logits. If there are several, none keeps its
    logits: the backward pass computes them again.
    """
    losses = partial(_losses, model)
    size = max(1, LOGITS_AT_ONCE // len(model.head_weight))
    if len(states) <= size:
        return losses(states, labels)
    parts = zip(states.split(size), labels.split(size), strict=True)
    return torch.cat([checkpoint(losses, *part, use_reentrant=False, preserve_rng_state=False) for part in parts])


def _losses(model: Architecture, states: Float[Tensor, "n d"], labels: Int[Tensor, " n"]) -> Float[Tensor, " n"]:
    return nn.functional.cross_entropy(model.logits(wide(states)), labels, reduction="none")
