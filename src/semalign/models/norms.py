"""A norm as a linear map and a scale, so that the norm of a sum needs the norms of its parts only once."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

SCALE = 1024.0  # of the vectors that measure a norm: it ignores scale, but its epsilon is then too small to matter


class LinearNorm(NamedTuple):
    r"""An RMSNorm or a LayerNorm, written as ``norm(h) = s(h) * L h + b``.

    ``L h`` is ``g * h`` for an RMSNorm and ``g * (h - mean(h))`` for a LayerNorm; the scale s is one number for each
    state. A linear map of ``L h``, such as the LM head, can thus be taken of the summands of h one by one.

    Attributes:
        norm: the norm itself.
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
    def measured(cls, norm: nn.Module, width: int, like: Tensor) -> "LinearNorm":
        """Return the parts of a norm, measured in the type and on the device of ``like``.

        A vector x of alternating signs has mean 0 and mean square 1, so that ``norm(x) = g * x + b``.

        Raises:
            ValueError: if the module is neither an RMSNorm nor a LayerNorm.
        """
        signs = torch.ones(width).to(like)
        signs[1::2] = -1
        plus, minus, ones = (norm(SCALE * x) for x in (signs, -signs, signs.abs()))
        gain, bias = signs * (plus - minus) / 2, (plus + minus) / 2
        found = cls(norm, gain, bias, bool((ones - bias).norm() < gain.norm() / 2))
        slope = SCALE * torch.linspace(-1, 2, width).to(like)[None]
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
