"""Where things are inside a causal language model: decoder layers, what they add to the residual stream, the head.

A :class:`Layout` names, for one architecture of transformers, the modules that *write* to the residual stream. Their
outputs are the sub-layer outputs before the residual addition (Section 4.3), whatever the model calls its parts: in
Gemma 2 that is a norm behind the MLP, in GPT-2 a dropout.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import get_args

import torch
from jaxtyping import Float
from peft import PeftModel
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel

from semalign.settings import Interface

INTERFACES: tuple[str, ...] = get_args(Interface)


@dataclass(frozen=True)
class Layout:
    """Module paths of one architecture; the sub-layer paths start at a decoder layer.

    ``attention`` and ``mlp`` write to the residual stream; ``lora`` names the four matrices that the paper adapts
    (up, down, value, output; Appendix A.2), or the fused matrices that hold them; ``matrices`` names all linear
    matrices of a layer.
    """

    layers: str = "model.layers"
    norm: str = "model.norm"
    attention: str = "self_attn.o_proj"
    mlp: str = "mlp.down_proj"
    lora: tuple[str, ...] = ("mlp.up_proj", "mlp.down_proj", "self_attn.v_proj", "self_attn.o_proj")
    matrices: tuple[str, ...] = (
        "self_attn.q_proj",
        "self_attn.k_proj",
        "self_attn.v_proj",
        "self_attn.o_proj",
        "mlp.gate_proj",
        "mlp.up_proj",
        "mlp.down_proj",
    )


LLAMA = Layout()
POST_NORM = Layout(attention="post_attention_layernorm", mlp="post_feedforward_layernorm")
# Fused matrices: the four that hold what the paper adapts are all that a layer has.
PHI3 = ("mlp.gate_up_proj", "mlp.down_proj", "self_attn.qkv_proj", "self_attn.o_proj")
GPT2 = ("mlp.c_fc", "mlp.c_proj", "attn.c_attn", "attn.c_proj")
GPT_NEOX = ("mlp.dense_h_to_4h", "mlp.dense_4h_to_h", "attention.query_key_value", "attention.dense")

LAYOUTS: dict[str, Layout] = {
    **dict.fromkeys(("llama", "mistral", "qwen2", "qwen3", "gemma", "smollm3"), LLAMA),
    **dict.fromkeys(("gemma2", "gemma3_text", "olmo2", "olmo3"), POST_NORM),
    "gemma3": Layout(
        layers="model.language_model.layers",
        norm="model.language_model.norm",
        attention=POST_NORM.attention,
        mlp=POST_NORM.mlp,
    ),
    "phi3": Layout(lora=PHI3, matrices=PHI3),
    "gpt2": Layout(
        layers="transformer.h",
        norm="transformer.ln_f",
        attention="attn.resid_dropout",
        mlp="mlp.dropout",
        lora=GPT2,
        matrices=GPT2,
    ),
    "gpt_neox": Layout(
        layers="gpt_neox.layers",
        norm="gpt_neox.final_layer_norm",
        attention="post_attention_dropout",
        mlp="post_mlp_dropout",
        lora=GPT_NEOX,
        matrices=GPT_NEOX,
    ),
}
"""Layouts by ``config.model_type``; add an entry to support another architecture."""


class Architecture:
    """A causal language model seen as decoder layers, final norm and LM head. Layers count from 1, as in the paper.

    Args:
        model: a causal language model of transformers, or a PEFT model: then the one inside, with its adapters.
        layout: where its parts are; by default from :data:`LAYOUTS`.

    Raises:
        ValueError: if the architecture is not in the table, or a module of the layout does not exist.
    """

    def __init__(self, model: PreTrainedModel | PeftModel, layout: Layout | None = None) -> None:
        self.model: PreTrainedModel = (
            model.get_base_model() if isinstance(model, PeftModel) else model  # type: ignore[assignment]
        )
        self.layout = layout or _layout_of(self.model)
        try:
            self.layers: nn.ModuleList = self.model.get_submodule(self.layout.layers)  # type: ignore[assignment]
            self.norm = self.model.get_submodule(self.layout.norm)
            for path in (self.layout.attention, self.layout.mlp, *self.layout.lora, *self.layout.matrices):
                self.layers[0].get_submodule(path)
        except AttributeError as error:
            raise ValueError(f"{type(self.model).__name__} does not match its layout: {error}") from error

    @property
    def n_layers(self) -> int:
        """Number of decoder layers, L."""
        return len(self.layers)

    @property
    def width(self) -> int:
        """Width of the residual stream, D."""
        return self.head_weight.shape[1]

    @property
    def decoder(self) -> nn.Module:
        """The model without its LM head: token ids in, states after the final norm out."""
        return self.model.get_submodule(self.layout.layers.rpartition(".")[0])

    @property
    def lm_head(self) -> nn.Module:
        """The LM head, with ``weight`` of shape (V, D)."""
        return self.model.get_output_embeddings()

    @property
    def head_weight(self) -> Float[Tensor, "v d"]:
        """The LM head's weight W."""
        return self.lm_head.weight  # type: ignore[return-value]

    def folded_head(self) -> Float[Tensor, "v d"]:
        """Return ``W diag(g)``, the LM head with the final norm's gain g folded in, detached."""
        return self.head_weight.detach() * norm_gain(self.norm, self.width)

    @property
    def device(self) -> torch.device:
        """Where the LM head is."""
        return self.head_weight.device

    @cached_property
    def softcap(self) -> float | None:
        """Bound that Gemma-like models put on their logits (``cap * tanh(z / cap)``), or None."""
        return getattr(self.model.config.get_text_config(), "final_logit_softcapping", None)

    @property
    def logits_are_linear(self) -> bool:
        """Whether ``z = W h`` holds exactly, with no bias and no soft cap."""
        return self.softcap is None and getattr(self.lm_head, "bias", None) is None

    def logits(self, states: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch v"]:
        """Return the logits of states that left the final norm; states wider than the head keep their precision."""
        logits = self.lm_head(states) if states.dtype == self.head_weight.dtype else self._wide_head(states)
        return logits if self.softcap is None else self.softcap * torch.tanh(logits / self.softcap)

    def _wide_head(self, states: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch v"]:
        bias = getattr(self.lm_head, "bias", None)
        bias = None if bias is None else bias.to(states.dtype)
        return functional.linear(states, self.head_weight.to(states.dtype), bias)

    def layer(self, k: int) -> nn.Module:
        """Return decoder layer ``k`` in 1..L; ``ValueError`` outside."""
        return self.layers[self.check_layer(k) - 1]

    def check_layer(self, k: int) -> int:
        """Return ``k`` if it is in 1..L; ``ValueError`` otherwise."""
        if not 1 <= k <= self.n_layers:
            raise ValueError(f"layer {k} does not exist: this model has layers 1..{self.n_layers}")
        return k

    def writer(self, k: int, interface: str) -> nn.Module:
        """Return the module that gives layer ``k``'s ``attention`` or ``mlp`` output, before the residual addition."""
        return self.layer(k).get_submodule({"attention": self.layout.attention, "mlp": self.layout.mlp}[interface])

    def lora_targets(self, layers: Sequence[int], all_matrices: bool = False) -> list[str]:
        """Return full names, as PEFT wants them, of the matrices of some layers: those the paper adapts, or all."""
        paths = self.layout.matrices if all_matrices else self.layout.lora
        return [f"{self.layout.layers}.{self.check_layer(k) - 1}.{path}" for k in layers for path in paths]


def check_interface(interface: str) -> str:
    """Return ``interface`` if it names one; ``ValueError`` otherwise."""
    if interface not in INTERFACES:
        raise ValueError(f"unknown interface {interface!r}: choose one of {', '.join(INTERFACES)}")
    return interface


def _layout_of(model: PreTrainedModel) -> Layout:
    model_type = model.config.model_type
    if model_type not in LAYOUTS:
        raise ValueError(
            f"no layout for architecture {model_type!r}; known: {', '.join(LAYOUTS)}. "
            f"Add one: semalign.models.architecture.LAYOUTS[{model_type!r}] = Layout(layers=..., norm=..., ...)"
        )
    return LAYOUTS[model_type]


def head_weight(model: PreTrainedModel) -> Float[Tensor, "v d"]:
    """Return the LM head's weight W (V, D), detached."""
    head = model.get_output_embeddings()
    if head is None:
        raise ValueError(f"{type(model).__name__} has no LM head; load it as a causal language model")
    return head.weight.detach()


@torch.no_grad()
def norm_gain(norm: nn.Module, width: int) -> Float[Tensor, " d"]:
    """Return the elementwise gain of a final norm, measured and so the same for RMSNorm, Gemma's (1 + w) and LayerNorm.

    A vector of alternating signs x has mean 0 and mean square 1, so the norm gives ``g * x + b``, and
    ``g = x * (norm(x) - norm(-x)) / 2``.
    """
    reference = next(norm.parameters())
    x = torch.ones(width, device=reference.device, dtype=torch.float32)
    x[1::2] = -1
    x = (1024 * x).to(reference.dtype)  # a norm ignores scale, but its epsilon is then too small to matter
    return x.sign() * (norm(x) - norm(-x)) / 2
