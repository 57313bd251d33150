"""Narrower students: a model with its residual stream in the leading principal directions, as in SliceGPT."""

import copy
from collections.abc import Sequence
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, PretrainedConfig

from semalign.data.rows import Row, batches
from semalign.models.architecture import Architecture
from semalign.models.evaluating import evaluating, plain_torch
from semalign.models.finite import check_finite
from semalign.models.layouts import LAYOUTS
from semalign.models.loading import LanguageModel
from semalign.models.offload import whole_state


@plain_torch(gradients=False)
def slice_width(model: LanguageModel, rows: Sequence[Row], width: int) -> LanguageModel:
    """Return a copy of a model with a narrower residual stream; it saves and loads like any of its architecture.

    A norm without gain commutes with every rotation Q. The gains therefore go into the matrices that read from the
    stream, which become ``W diag(g) Q``, the matrices that write to it become ``Q^T W``, and the logits do not change.
    Q holds the principal directions of the stream in front of all norms, and its first ``width`` columns are kept.
    SliceGPT (Ashkboos et al. 2024) has a Q for each layer and a matrix between two layers, for which a plain model has
    no place; here all layers share one Q.

    Args:
        model: a model with RMSNorms in front of its sub-layers.
        rows: texts, prompt and response, whose states have these principal directions.
        width: width of the copy, D', up to that of the model.

    Raises:
        ValueError: for another architecture, a width above the model's or not a multiple of its heads, or a text that
            is longer than the context.
    """
    config = model.model.config
    if not Architecture(model.model).layout.readers:
        able = [name for name, layout in LAYOUTS.items() if layout.readers]
        raise ValueError(f"{config.model_type} cannot be rotated: only {', '.join(able)} can")
    heads = config.num_attention_heads
    if not 0 < width <= config.hidden_size or width % heads:
        raise ValueError(f"width must be a multiple of {heads}, the heads, up to {config.hidden_size}; it is {width}")
    kept = principal_directions(model, rows)[:, :width]
    student = AutoModelForCausalLM.from_config(_narrow(config, width), dtype=model.model.dtype)
    student.generation_config = copy.deepcopy(model.model.generation_config)  # with the tokens that end an answer
    student.load_state_dict(rotated(Architecture(model.model), kept))
    return LanguageModel(student.to(Architecture(model.model).device).eval(), model.tokenizer)


def principal_directions(model: LanguageModel, rows: Sequence[Row]) -> Float[Tensor, "d d"]:
    """Return an orthonormal basis of the residual stream, directions with most of its second moment first, in float64.

    The states are those in front of all norms. Each is scaled to unit length, so that layers with long states do not
    count for more.
    """
    architecture = Architecture(model.model)
    moment = torch.zeros(architecture.width, architecture.width, dtype=torch.float64)
    mask = torch.empty(0)

    def add(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        states = nn.functional.normalize(inputs[0][mask].double(), dim=-1).cpu()
        moment.add_(states.T @ states)

    norms = [layer.get_submodule(name) for layer in architecture.layers for name in architecture.layout.readers]
    hooks = [norm.register_forward_pre_hook(add) for norm in (*norms, architecture.norm)]
    try:
        with evaluating(architecture.model):
            for batch in batches(model.encode(rows), 8):
                ids, mask = (batch[name].to(architecture.device) for name in ("input_ids", "attention_mask"))
                mask = mask.bool()
                run = partial(architecture.run, mask.long(), input_ids=ids)
                check_finite(run()[mask], "the states", architecture, run)
    finally:
        for hook in hooks:
            hook.remove()
    return torch.linalg.eigh(moment).eigenvectors.flip(1)


def rotated(architecture: Architecture, basis: Float[Tensor, "d d_kept"]) -> dict[str, Tensor]:
    """Return the weights of a model whose residual stream is written in an orthonormal basis.

    All gains are ``sqrt(D / D')``, because the mean square in a norm is over fewer numbers.
    """
    basis, layout = basis.to(architecture.device), architecture.layout
    weights = {name: tensor.to(basis.device) for name, tensor in whole_state(architecture.model).items()}
    names = {module: name for name, module in architecture.model.named_modules()}
    layers = [names[layer] for layer in architecture.layers]
    # Matrices that read from the stream, (out, D), and the norm in front of each: W diag(g) Q is (out, D').
    reads = {
        f"{at}.{name}": f"{at}.{norm}" for at in layers for norm in layout.readers for name in layout.readers[norm]
    }
    reads[names[architecture.lm_head]] = layout.norm
    changed = {
        f"{name}.weight": weights[f"{name}.weight"].double() * weights[f"{norm}.weight"] @ basis
        for name, norm in reads.items()
    }
    # Matrices that write to it, (D, in), with their biases: Q^T W is (D', in).
    writes = [f"{at}.{name}" for at in layers for name in (layout.attention, layout.mlp)]
    changed |= {f"{name}.weight": basis.T @ weights[f"{name}.weight"].double() for name in writes}
    biases = [f"{name}.bias" for name in writes if f"{name}.bias" in weights]
    embeddings = f"{names[architecture.model.get_input_embeddings()]}.weight"
    changed |= {name: weights[name].double() @ basis for name in (*biases, embeddings)}
    gain = torch.full((basis.shape[1],), (len(basis) / basis.shape[1]) ** 0.5, device=basis.device)
    changed |= {f"{norm}.weight": gain for norm in reads.values()}
    return {name: changed.get(name, tensor).to(tensor.dtype) for name, tensor in weights.items()}


def _narrow(config: PretrainedConfig, width: int) -> PretrainedConfig:
    """Return the configuration of the copy. Its head is not tied, since the final norm's gain goes into it."""
    narrow = copy.deepcopy(config)
    narrow.head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    narrow.rms_norm_eps = config.rms_norm_eps * config.hidden_size / width  # added to a mean over fewer numbers
    narrow.hidden_size, narrow.tie_word_embeddings = width, False
    narrow.name_or_path = f"{(config.name_or_path or config.model_type).rstrip('/')}-{width}-wide"
    return narrow
