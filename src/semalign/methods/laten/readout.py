"""How much vectors in the residual stream raise the log-probability of a token, for many vectors and texts.

The literal form adds every vector to the stream of every text, and multiplies each sum with the LM head. The final norm
is linear up to one number for each state (:class:`semalign.models.norms.LinearNorm`), and the vectors of all texts are
multiples of the same columns of a weight matrix. :class:`Readout` therefore multiplies stream and columns with the head
once each, and then only adds up logits.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from semalign.models.architecture import Architecture
from semalign.models.norms import LinearNorm
from semalign.models.precision import wide

LOGITS_AT_ONCE = 2**24  # upper limit on columns x V that are multiplied at once
LOGITS_IN_CACHE = 2**18  # upper limit on columns x V that are added up at once on a CPU, as its caches hold them


class Readout:
    """The final norm and the LM head of a model, in float32 or wider, which read states of the residual stream.

    Args:
        architecture: the model.

    Raises:
        ValueError: if its final norm is neither an RMSNorm nor a LayerNorm.
    """

    def __init__(self, architecture: Architecture) -> None:
        self.architecture = architecture
        self.head = wide(architecture.head_weight.detach())  # (V, D)
        self.norm = LinearNorm.measured(architecture.norm, architecture.width)
        bias = getattr(architecture.lm_head, "bias", None)
        self.constant = self.head @ self.norm.bias + (0 if bias is None else wide(bias.detach()))  # (V,)
        self.plain = not self.constant.any()
        on_cpu = architecture.device.type == "cpu"
        self.at_once = LOGITS_IN_CACHE if on_cpu else LOGITS_AT_ONCE

    @torch.no_grad()
    def log_probabilities(self, states: Float[Tensor, "n d"], tokens: Int[Tensor, " n"]) -> Float[Tensor, " n"]:
        """Return ``log p(token | state)`` of each state and its token, literally, in chunks."""
        size = max(1, LOGITS_AT_ONCE // len(self.head))
        parts = zip(states.split(size), tokens.split(size), strict=True)
        logits = ((self.architecture.logits(self.norm.norm(part)), wanted) for part, wanted in parts)
        return torch.cat([-functional.cross_entropy(*each, reduction="none") for each in logits])

    @torch.no_grad()
    def increases(
        self,
        streams: Float[Tensor, "texts d"],
        tokens: Int[Tensor, " texts"],
        columns: Float[Tensor, "n group d"],
        factors: Float[Tensor, "texts n group"],
    ) -> Float[Tensor, "texts n"]:
        """Return ``log p(token | stream + v_i) - log p(token | stream)`` of each text, with ``v_i = f_i columns_i``.

        Args:
            streams: the stream of each text.
            tokens: the token of each text.
            columns: the columns that add up to each vector, which are the same for all texts.
            factors: the factors f of the columns, for each text.
        """
        read = self.norm.linear(streams) @ self.head.T  # (texts, V)
        size = max(1, LOGITS_AT_ONCE // (len(self.head) * columns.shape[1]))
        parts = zip(columns.split(size), factors.split(size, dim=1), strict=True)
        raised = torch.cat([self._raised(streams, read, tokens, *part) for part in parts], dim=1)
        return raised - self.log_probabilities(streams, tokens)[:, None]

    def _raised(
        self, streams: Tensor, read: Tensor, tokens: Tensor, columns: Tensor, factors: Tensor
    ) -> Float[Tensor, "texts n"]:
        """Return ``log p(token | stream + v_i)`` of each text, for the vectors of some columns."""
        columns = columns.to(self.head).contiguous()
        products = self.norm.linear(columns) @ self.head.T  # (n, group, V)
        vectors = ((each[..., None] * columns).sum(1) for each in factors)
        scales = torch.stack([self.norm.scale(s + v) for s, v in zip(streams, vectors, strict=True)])  # (texts, n)
        size = max(1, self.at_once // products[0].numel())
        raised = torch.empty_like(scales)
        for start in range(0, len(columns), size):
            at = slice(start, start + size)
            for text, (own, token) in enumerate(zip(read, tokens, strict=True)):
                logits = self._logits(own, products[at], factors[text, at], scales[text, at])
                raised[text, at] = -functional.cross_entropy(logits, token.expand(len(logits)), reduction="none")
        return raised

    def _logits(self, own: Tensor, products: Tensor, factors: Tensor, scales: Tensor) -> Float[Tensor, "n v"]:
        """Return the logits of a text's stream with each vector, from the products of both with the head."""
        summed = torch.baddbmm(own.expand(len(products), 1, -1), factors[:, None], products)[:, 0]
        read = summed.mul_(scales[:, None])
        return self.architecture.scaled(read if self.plain else read.add_(self.constant))
