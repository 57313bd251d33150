"""A smaller Llama cut from a larger one, as published families are made: fewer layers, a narrower residual stream."""

import copy
import re

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from transformers import LlamaForCausalLM, PreTrainedModel

# What reads from the residual stream, with the norm in front of it, and what writes to it; each is a part of a layer.
READERS = {
    "self_attn.q_proj": "input_layernorm",
    "self_attn.k_proj": "input_layernorm",
    "self_attn.v_proj": "input_layernorm",
    "mlp.gate_proj": "post_attention_layernorm",
    "mlp.up_proj": "post_attention_layernorm",
}
WRITERS = ("self_attn.o_proj", "mlp.down_proj")
LAYER = re.compile(r"(model\.layers\.)(\d+)\.(.*)\.weight")


def paired_layers(n_teacher: int, n_student: int) -> list[int]:
    """Return the layers, from 1, that the layer map gives to a student: ``max(1, floor(k L_T / L_S))``."""
    return [max(1, k * n_teacher // n_student) for k in range(1, n_student + 1)]


def with_layers(model: PreTrainedModel, kept: list[int]) -> LlamaForCausalLM:
    """Return a copy of a Llama with some of its layers alone, counted from 1 and numbered anew."""
    config = copy.deepcopy(model.config)
    config.num_hidden_layers = len(kept)
    places = {number - 1: place for place, number in enumerate(kept)}
    weights = {}
    for name, tensor in model.state_dict().items():
        if match := LAYER.fullmatch(name):
            if int(match[2]) not in places:
                continue
            name = f"{match[1]}{places[int(match[2])]}.{match[3]}.weight"
        weights[name] = tensor
    return _filled(LlamaForCausalLM(config), weights)


def narrowed(model: PreTrainedModel, rows: Int64[Tensor, "n length"], hidden: int) -> LlamaForCausalLM:
    """Return a copy of a Llama with its residual stream in the first ``hidden`` principal directions of its states.

    With Q the directions as columns, (D, hidden), and g the gain of the norm in front of it, a matrix that reads from
    the stream becomes ``W diag(g) Q``, and one that writes to it ``Q^T W``. All gains become ``sqrt(D / hidden)``,
    since the mean square of a norm is over fewer numbers. Nothing changes at full width.

    Args:
        model: a Llama whose head is not tied.
        rows: token ids, on whose states the directions depend.
        hidden: the copy's width, at most the model's.
    """
    config = copy.deepcopy(model.config)
    wide = config.hidden_size
    basis = principal_directions(model, rows)[:, :hidden]
    config.head_dim = config.head_dim or wide // config.num_attention_heads
    config.hidden_size, config.rms_norm_eps = hidden, config.rms_norm_eps * wide / hidden
    weights = {name: tensor.double() for name, tensor in model.state_dict().items()}
    changed = {name: _rotated(name, weights, basis) for name in weights}
    return _filled(LlamaForCausalLM(config), changed)


def _rotated(name: str, weights: dict[str, Tensor], basis: Float[Tensor, "d hidden"]) -> Tensor:
    """Return a weight in the basis, see :func:`narrowed`."""
    tensor = weights[name]
    if tensor.ndim == 1:
        return torch.full((basis.shape[1],), (len(basis) / basis.shape[1]) ** 0.5, dtype=tensor.dtype)
    if name == "lm_head.weight":
        return tensor * weights["model.norm.weight"] @ basis
    if match := LAYER.fullmatch(name):
        if match[3] in WRITERS:
            return basis.T @ tensor
        return tensor * weights[f"{match[1]}{match[2]}.{READERS[match[3]]}.weight"] @ basis
    return tensor @ basis  # embeddings


@torch.no_grad()
def principal_directions(model: PreTrainedModel, rows: Int64[Tensor, "n length"]) -> Float[Tensor, "d d"]:
    """Return an orthonormal basis of the residual stream as columns, directions with most second moment first.

    The states are those in front of every norm, each at unit length, so that layers with long states do not count for
    more. The directions are in float64.
    """
    width = model.config.hidden_size
    moment = torch.zeros(width, width, dtype=torch.float64)

    def add(_norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        states = nn.functional.normalize(inputs[0].flatten(0, 1).double(), dim=-1)
        moment.add_(states.T @ states)

    norms = [module for name, module in model.named_modules() if name.endswith("norm")]
    hooks = [norm.register_forward_pre_hook(add) for norm in norms]
    try:
        for part in rows.split(8):
            model(part, use_cache=False)
    finally:
        for hook in hooks:
            hook.remove()
    return torch.linalg.eigh(moment).eigenvectors.flip(1)


def _filled(model: LlamaForCausalLM, weights: dict[str, Tensor]) -> LlamaForCausalLM:
    model.load_state_dict(weights)
    return model
