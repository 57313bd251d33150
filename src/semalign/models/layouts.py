"""Layouts: the module names of each architecture, in one place.

A :class:`Layout` names, for one architecture of transformers, the modules that *write* to the residual stream. Their
outputs are the sub-layer outputs before the residual addition (Section 4.3), under each model's own names: in Gemma 2
that is a norm behind the MLP, in GPT-2 a dropout.

An architecture that is not in :data:`LAYOUTS` gets a layout from a YAML file; see :func:`register_layouts`.
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from semalign.registry import included_folders, load_included


@dataclass(frozen=True)
class Layout:
    """Module paths of one architecture; all but the first two start at a decoder layer.

    Attributes:
        layers: the list of decoder layers.
        norm: the final norm.
        attention: the module that writes the attention output to the residual stream.
        mlp: the module that writes the MLP output to the residual stream.
        lora: the four matrices that the paper adapts (up, down, value, output; Appendix A.2), or the fused matrices
            that hold them.
        matrices: all linear matrices of a layer.
        readers: for each norm of a layer the matrices that read what it gives, where all norms are RMSNorms in front
            of a sub-layer with a plain gain; empty for other architectures, whose residual stream cannot be rotated
            (:mod:`semalign.models.slicing`).
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
    readers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


LLAMA = Layout(
    readers={
        "input_layernorm": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
        "post_attention_layernorm": ("mlp.gate_proj", "mlp.up_proj"),
    }
)
POST_NORM = Layout(attention="post_attention_layernorm", mlp="post_feedforward_layernorm")
# Fused matrices: the four that hold what the paper adapts are all that a layer has.
PHI3 = ("mlp.gate_up_proj", "mlp.down_proj", "self_attn.qkv_proj", "self_attn.o_proj")
GPT2 = ("mlp.c_fc", "mlp.c_proj", "attn.c_attn", "attn.c_proj")
GPT_NEOX = ("mlp.dense_h_to_4h", "mlp.dense_4h_to_h", "attention.query_key_value", "attention.dense")

LAYOUTS: dict[str, Layout] = {
    **dict.fromkeys(("llama", "mistral", "qwen2", "qwen3", "smollm3"), LLAMA),
    "gemma": Layout(),  # Llama's names, but the gain of a norm is 1 + w
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
"""Layouts by ``config.model_type``."""


def layout_of(model_type: str) -> Layout:
    """Return the layout of an architecture: one of :data:`LAYOUTS`, or of a YAML file in an included folder.

    Raises:
        ValueError: if there is none; it says how to add one.
    """
    if model_type not in LAYOUTS:
        load_included()
        for folder in included_folders():
            _register_folder(folder)
    if model_type not in LAYOUTS:
        raise ValueError(
            f"no layout for architecture {model_type!r}; known: {', '.join(LAYOUTS)}. "
            f"Write one as YAML, as in examples/architecture, and give its folder: --include FOLDER"
        )
    return LAYOUTS[model_type]


@cache
def _register_folder(folder: Path) -> None:
    for path in sorted(folder.glob("*.yaml")):
        register_layouts(path)


def register_layouts(path: Path | str) -> None:
    """Add the layouts of a YAML file to :data:`LAYOUTS`.

    The file has the form ``{model_type: {layers: ..., norm: ..., attention: ..., mlp: ..., lora: [...],
    matrices: [...]}}``, with the attributes of :class:`Layout` as keys; only ``readers`` may be left out. ``layers``
    and ``norm`` are paths from the model, all others from one of its layers.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: for an unknown or a missing key, a value of the wrong type, or an architecture that has another
            layout already.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file {path} with layouts")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} must hold a layout for each model type, as keys and values")
    made = {model_type: _layout(f"{path}: {model_type}", values) for model_type, values in content.items()}
    for model_type, layout in made.items():
        if LAYOUTS.get(model_type, layout) != layout:
            raise ValueError(f"{path}: there is another layout for {model_type} already")
    LAYOUTS.update(made)


def _layout(place: str, values: Any) -> Layout:
    """Return a layout from its keys and values; ``place`` is where they stand, for messages."""
    known = [each.name for each in fields(Layout)]
    if not isinstance(values, dict):
        raise ValueError(f"{place}: give keys and values: {', '.join(known)}")
    for key in values:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, 1)
            raise ValueError(f"{place}: unknown key {key!r}" + (f", did you mean {near[0]!r}?" if near else ""))
    if missing := [key for key in known if key not in values and key != "readers"]:
        raise ValueError(f"{place}: it has no {missing[0]}")
    readers = values.get("readers", {})
    if not isinstance(readers, dict):
        raise ValueError(f"{place}: readers must hold a list of matrices for each norm")
    checked: dict[str, Any] = {
        **{key: _path(f"{place}: {key}", values[key]) for key in ("layers", "norm", "attention", "mlp")},
        **{key: _paths(f"{place}: {key}", values[key]) for key in ("lora", "matrices")},
        "readers": {norm: _paths(f"{place}: readers.{norm}", paths) for norm, paths in readers.items()},
    }
    return Layout(**checked)


def _path(place: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{place} must be the path of a module, such as model.norm; it is {value!r}")
    return value


def _paths(place: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(part, str) for part in value):
        raise ValueError(f"{place} must be a list of paths of modules; it is {value!r}")
    return tuple(value)
