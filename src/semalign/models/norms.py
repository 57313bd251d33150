"""A norm as a linear map and a scale, so that the norm of a sum needs the norms of its parts only once."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from semalign.models.precision import wide_model

SCALE = 1024.0  # of the vectors that measure a norm: it ignores scale, but its epsilon is then too small to matter


class LinearNorm(NamedTuple):
    r"""An RMSNorm or a LayerNorm, written as ``norm(h) = s(h) * L h + b``.

    ``L h`` is ``g * h`` for an RMSNorm and ``g * (h - mean(h))`` for a LayerNorm; the scale s is one number for each
    state. A linear map of ``L h``, such as the LM head, can thus be taken of the summands of h one by one.

    Attributes:
        norm: the norm itself, in float32 or wider.
        gain: its elementwise gain g.
        bias: its bias b, zero if it has none.
        centred: whether the mean is subtracted.
    """

    norm: nn.Module
    gain: Float[Tensor, " d"]
    bias: Float[Tensor, " d"]
    centred: bool

    @classmethod
    @torch.no_grad()
    def measured(cls, norm: nn.Module, width: int) -> "LinearNorm":
        """Return the parts of a norm, measured by :func:`gain_and_bias`.

        Raises:
            ValueError: if the module is neither an RMSNorm nor a LayerNorm.
        """
        norm = wide_model(norm)
        gain, bias = gain_and_bias(norm, width)
        ones = norm(SCALE * torch.ones_like(gain))
        found = cls(norm, gain, bias, bool((ones - bias).norm() < gain.norm() / 2))
        slope = SCALE * torch.linspace(-1, 2, width).to(gain)[None]
        if not torch.allclose(found.scale(slope)[:, None] * found.linear(slope) + bias, norm(slope), 1e-2, 1e-2):
            raise ValueError(f"{type(norm).__name__} is neither an RMSNorm nor a LayerNorm: it has no linear part")
        return found

    def linear(self, states: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch d"]:
        """Return ``L h``."""
        return self.gain * (states - states.mean(-1, keepdim=True) if self.centred else states)

    def scale(self, states: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
        """Return ``s(h)`` of each state, from what the norm itself gives."""
        linear = self.linear(states)
        length = linear.square().sum(-1).clamp_min(torch.finfo(linear.dtype).tiny)
        return ((self.norm(states) - self.bias) * linear).sum(-1) / length


@torch.no_grad()
def gain_and_bias(norm: nn.Module, width: int) -> tuple[Float[Tensor, " d"], Float[Tensor, " d"]]:
    """Return the elementwise gain g and the bias b of a norm, on its device, measured in float32 or wider.

    A vector x of alternating signs has mean 0 and mean square 1, so that ``norm(x) = g * x + b`` for an RMSNorm,
    Gemma's (1 + w) and a LayerNorm. Weights in half precision are widened first: a norm rounds what it gives to their
    type.
    """
    norm = wide_model(norm)
    signs = torch.ones(width).to(next(norm.parameters(), torch.empty(0)))
    signs[1::2] = -1
    plus, minus = norm(SCALE * signs), norm(-SCALE * signs)
    return signs * (plus - minus) / 2, (plus + minus) / 2
