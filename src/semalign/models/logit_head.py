"""The LM head of a causal language model: its weight, and the logits of states after the final norm."""

from collections.abc import Callable
from contextlib import nullcontext
from functools import cached_property, partial

import torch
from jaxtyping import Float, Int
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel

from semalign.models.layouts import Layout
from semalign.models.norms import gain_and_bias
from semalign.models.precision import wide, wide_type
from semalign.models.wide_head import wide_head


class LogitHead:
    """The final norm and the LM head of a causal language model.

    Attributes:
        model: the model, with the adapters of a PEFT model inside it.
        layout: the names of its modules, and of numbers in its configuration.
        norm: its final norm.
    """

    model: PreTrainedModel
    layout: Layout
    norm: nn.Module

    @property
    def lm_head(self) -> nn.Module:
        """The LM head, with ``weight`` of shape (V, D)."""
        return self.model.get_output_embeddings()

    @property
    def head_weight(self) -> Float[Tensor, "v d"]:
        """The LM head's weight W, without an adapter that is not merged."""
        return self.lm_head.weight  # type: ignore[return-value]

    def folded_head(self, tokens: Int[Tensor, " chosen"] | None = None) -> Float[Tensor, "rows d"]:
        """Return ``W diag(g)``, the LM head with the final norm's gain g folded in, detached, in float32 or wider.

        Args:
            tokens: the vocabulary rows that are wanted, in this order; None: all.
        """
        head, (gain, _) = self.head_weight.detach(), gain_and_bias(self.norm, self.head_weight.shape[1])
        return wide(head if tokens is None else head[tokens.to(head.device)]) * gain.to(head.device)

    @property
    def device(self) -> torch.device:
        """The device of the LM head, to which captured and final states are brought if a device map spreads layers."""
        return self.head_weight.device

    @cached_property
    def logit_scale(self) -> float:
        """Factor s of the logits, ``z = s W h``: 1 for most models."""
        return self._number(self.layout.logit_scale) / self._number(self.layout.logit_divisor)

    def _number(self, name: str | None) -> float:
        return 1.0 if name is None else float(getattr(self.model.config.get_text_config(), name))

    @cached_property
    def softcap(self) -> float | None:
        """Bound that Gemma-like models put on their logits (``cap * tanh(z / cap)``), or None."""
        return getattr(self.model.config.get_text_config(), "final_logit_softcapping", None)

    @property
    def logits_are_linear(self) -> bool:
        """Whether ``z = s W h`` holds exactly, with no bias, no soft cap and no adapter."""
        return self.softcap is None and getattr(self.lm_head, "bias", None) is None and not _adapted(self.lm_head)

    def logits(
        self, states: Float[Tensor, "*batch d"], tokens: Int[Tensor, " chosen"] | None = None
    ) -> Float[Tensor, "*batch v"]:
        """Return the logits of states after the final norm; states of higher precision than the head keep it.

        Args:
            states: the states.
            tokens: the vocabulary rows whose logits are wanted, in this order; None: all.
        """
        return self.logits_of(states.dtype, tokens)(states)

    def scaled(self, products: Float[Tensor, "*batch v"]) -> Float[Tensor, "*batch v"]:
        """Return the logits, given what the LM head itself returns: times the logit scale, and below the soft cap."""
        logits = products if self.logit_scale == 1 else products * self.logit_scale
        return logits if self.softcap is None else self.softcap * torch.tanh(logits / self.softcap)

    def logits_of(self, dtype: torch.dtype, tokens: Int[Tensor, " chosen"] | None = None) -> Callable[[Tensor], Tensor]:
        """Return the function from states of a type to logits, as :meth:`logits` gives them.

        What it needs of the head, such as its rows in a wider type, is made here, once for all calls.
        """
        linear = self._head_rows(dtype, tokens)
        return lambda states: self.scaled(linear(states))

    def _head_rows(self, dtype: torch.dtype, tokens: Tensor | None) -> Callable[[Tensor], Tensor]:
        """Return the linear function of the head, or of some of its rows."""
        if _adapted(self.lm_head):
            return partial(self._through_adapter, tokens)
        weight, bias = self.head_weight, getattr(self.lm_head, "bias", None)
        if tokens is None and dtype == weight.dtype:
            return self.lm_head
        if tokens is not None:
            rows = _slice_or_rows(tokens.to(weight.device))
            weight, bias = weight[rows], None if bias is None else bias[rows]
        return partial(functional.linear, weight=weight.to(dtype), bias=None if bias is None else bias.to(dtype))

    def _through_adapter(self, tokens: Tensor | None, states: Tensor) -> Tensor:
        """Return the products of the head with its adapter, made in its type or, for wider states, in float32."""
        of_head = self.head_weight.dtype
        as_it_is = states.dtype == of_head
        with nullcontext() if as_it_is else wide_head(self.model):
            products = self.lm_head(states if as_it_is else states.to(wide_type(of_head)))
        chosen = products if tokens is None else products[..., tokens.to(products.device)]
        return chosen.to(torch.promote_types(chosen.dtype, states.dtype))


def _adapted(head: nn.Module) -> bool:
    """Return whether a head has an adapter at work that is not part of its weight."""
    return isinstance(head, BaseTunerLayer) and not head.merged and not head.disable_adapters


def _slice_or_rows(tokens: Int[Tensor, " n"]) -> slice | Int[Tensor, " n"]:
    """Return a slice for the tokens 0, 1, ... in this order, which copies nothing, and other tokens as they are."""
    first = torch.arange(len(tokens), device=tokens.device)
    return slice(len(tokens)) if torch.equal(tokens, first) else tokens


def head_weight(model: PreTrainedModel) -> Float[Tensor, "v d"]:
    """Return the LM head's weight W (V, D), detached.

    Raises:
        ValueError: if there is no head, or one with an adapter that is not merged.
    """
    head = model.get_output_embeddings()
    if head is None:
        raise ValueError(f"{type(model).__name__} has no LM head; load it as a causal language model")
    if _adapted(head):
        raise ValueError(
            f"an adapter is on the LM head of this {type(model).__name__}: merge it first, by its PEFT model"
        )
    return head.weight.detach()
