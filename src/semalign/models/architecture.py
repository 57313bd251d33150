"""The parts of a causal language model: decoder layers, what they add to the residual stream, final norm and head."""

from collections.abc import Sequence
from functools import cached_property
from inspect import signature
from typing import Any, get_args

from jaxtyping import Float, Int
from peft import PeftModel
from torch import Tensor, nn
from transformers import PreTrainedModel

from semalign.models.attention import keep_right
from semalign.models.layout_files import layout_of
from semalign.models.layout_proof import prove
from semalign.models.layouts import Layout
from semalign.models.logit_head import LogitHead
from semalign.models.offload import spread
from semalign.models.rope import own_lengths, varying
from semalign.settings import Interface

INTERFACES: tuple[str, ...] = get_args(Interface)


class Architecture(LogitHead):
    """The decoder layers, final norm and LM head of a causal language model. Layers count from 1, as in the paper.

    Args:
        model: a causal language model of transformers, or a PEFT model, whose inner model is used with its adapters.
        layout: the names of its modules; by default from :data:`semalign.models.layouts.LAYOUTS`.

    Raises:
        ValueError: if the architecture has no layout, the layout does not hold for the model
            (:func:`semalign.models.layout_proof.prove`), or a PEFT model's adapter works by extra prompt tokens.
    """

    def __init__(self, model: PreTrainedModel | PeftModel, layout: Layout | None = None) -> None:
        self.model = plain_model(model)
        self.layout = layout or layout_of(self.model.config.model_type)
        try:
            self.layers: nn.ModuleList = self.model.get_submodule(self.layout.layers)  # type: ignore[assignment]
            self.norm = self.model.get_submodule(self.layout.norm)
        except AttributeError as error:
            raise ValueError(f"{type(self.model).__name__} does not match its layout: {error}") from error
        for k, layer in enumerate(self.layers, start=1):
            self._check_modules(k, layer)
        prove(self)

    def _check_modules(self, k: int, layer: nn.Module) -> None:
        for path in (
            self.layout.attention,
            self.layout.mlp,
            self.layout.mixer,
            *self.layout.lora,
            *self.layout.matrices,
        ):
            try:
                layer.get_submodule(path)
            except AttributeError as error:
                name = type(self.model).__name__
                raise ValueError(f"{name} does not match its layout: {error} (layer {k})") from error

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

    @cached_property
    def spread(self) -> bool:
        """Whether a device map spreads the model, see :func:`semalign.models.offload.spread`."""
        return spread(self.model)

    @cached_property
    def _counts_positions(self) -> bool:
        """Whether an embedding tells a token its place in the batch, unless positions are given; a rope is relative."""
        roped = any("rotary" in type(module).__name__.lower() for module in self.decoder.modules())
        return not roped and "position_ids" in signature(self.decoder.forward).parameters

    @cached_property
    def _varying_ropes(self) -> list[nn.Module]:
        return varying(self.decoder)

    def run(
        self, attention_mask: Int[Tensor, "batch tokens"] | None = None, **inputs: Tensor
    ) -> Float[Tensor, "batch tokens d"]:
        """Return the states after the final norm; each row has the positions and the rope that it would have alone.

        Inputs may be on any device; the states are on that of the model, :attr:`device`.

        Args:
            attention_mask: 1 for tokens, 0 for padding; None: there is no padding.
            **inputs: ``input_ids`` or ``inputs_embeds``.
        """
        given = inputs.get("inputs_embeds")
        first_device: Any = self.model.get_input_embeddings().weight.device  # a device map may spread the modules
        if given is not None and not self.spread:
            first_device = given.device  # embeddings that are not read may be elsewhere
        mask = None if attention_mask is None else attention_mask.to(first_device)
        if mask is not None and self._counts_positions and not mask[:, 0].all():  # padded on the left
            inputs["position_ids"] = (mask.long().cumsum(-1) - 1).clamp_min(0)
        moved = {name: tensor.to(first_device) for name, tensor in inputs.items()}
        with own_lengths(self._varying_ropes, mask):
            found = self.decoder(attention_mask=mask, use_cache=False, return_dict=True, **moved)
            return found.last_hidden_state.to(self.device)

    @cached_property
    def residual_scale(self) -> float:
        """Factor that the outputs of attention and MLP have in the residual stream: 1 for most models."""
        return self._number(self.layout.residual_scale)

    def added(self, output: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch d"]:
        """Return what the output of an attention or MLP adds to the residual stream."""
        return output if self.residual_scale == 1 else output * self.residual_scale

    def layer(self, k: int) -> nn.Module:
        """Return decoder layer ``k`` in 1..L; ``ValueError`` outside."""
        return self.layers[self.check_layer(k) - 1]

    def check_layer(self, k: int) -> int:
        """Return ``k`` if it is in 1..L; ``ValueError`` otherwise."""
        if not 1 <= k <= self.n_layers:
            raise ValueError(f"layer {k} does not exist: this model has layers 1..{self.n_layers}")
        return k

    def writer(self, k: int, interface: str) -> nn.Module:
        """Return the module whose output an interface of layer ``k`` is of: its attention, its MLP, or the layer."""
        paths = {"attention": self.layout.attention, "mlp": self.layout.mlp, "residual": "", "layer": ""}
        return self.layer(k).get_submodule(paths[interface])

    @property
    def n_heads(self) -> int:
        """Number of attention heads of a layer."""
        return int(self.model.config.get_text_config().num_attention_heads)

    def head_mixer(self, k: int) -> nn.Module:
        """Return the matrix of layer ``k`` that mixes its heads' outputs; it is given them side by side."""
        return self.layer(k).get_submodule(self.layout.mixer)

    def lora_targets(self, layers: Sequence[int], all_matrices: bool = False) -> list[str]:
        """Return full names, as PEFT wants them, of the matrices of some layers: those the paper adapts, or all."""
        paths = self.layout.matrices if all_matrices else self.layout.lora
        return [f"{self.layout.layers}.{self.check_layer(k) - 1}.{path}" for k in layers for path in paths]


def plain_model(model: PreTrainedModel | PeftModel) -> PreTrainedModel:
    """Return the transformers model, with a PEFT model's adapters in place inside it.

    If its heads share one key, or its attention has a soft cap, it uses what :mod:`semalign.models.attention` says from
    now on.

    Raises:
        ValueError: for an adapter that works by extra prompt tokens, which the model inside does not hold.
    """
    if isinstance(model, PeftModel) and model.active_peft_config.is_prompt_learning:
        raise ValueError("adapters that work by extra prompt tokens cannot be used here; LoRA and its kin can")
    plain: PreTrainedModel = model.get_base_model() if isinstance(model, PeftModel) else model  # type: ignore[assignment]
    keep_right(plain)
    return plain


def check_interface(interface: str) -> str:
    """Return ``interface`` if it names one; ``ValueError`` otherwise."""
    if interface not in INTERFACES:
        raise ValueError(f"unknown interface {interface!r}: choose one of {', '.join(INTERFACES)}")
    return interface
