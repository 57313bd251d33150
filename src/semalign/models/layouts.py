"""Layouts: the module names of each architecture, in one place.

A :class:`Layout` names, for one architecture of transformers, the modules that *write* to the residual stream. Their
outputs are the sub-layer outputs before the residual addition (Section 4.3), under each model's own names: in Gemma 2
that is a norm behind the MLP, in GPT-2 a dropout.

An architecture that is not in :data:`LAYOUTS` gets a layout from a YAML file; see :mod:`semalign.models.layout_files`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Layout:
    """Module paths of one architecture; all but the first two start at a decoder layer.

    Attributes:
        layers: the list of decoder layers.
        norm: the final norm.
        attention: the module that writes the attention output to the residual stream.
        mlp: the module that writes the MLP output to the residual stream.
        mixer: the attention's output matrix, which is given the outputs of all heads side by side.
        lora: the four matrices that the paper adapts (up, down, value, output; Appendix A.2), or the fused matrices
            that hold them.
        matrices: all linear matrices of a layer.
        readers: for each norm of a layer the matrices that read what it gives, where all norms are RMSNorms in front
            of a sub-layer with a plain gain; empty for other architectures, whose residual stream cannot be rotated
            (:mod:`semalign.models.slicing`).
        residual_scale: name of the configuration's number that multiplies what the two modules write; None: 1.
        logit_scale: name of the configuration's number that multiplies the logits; None: 1.
        logit_divisor: name of the configuration's number that divides the logits; None: 1.
    """

    layers: str = "model.layers"
    norm: str = "model.norm"
    attention: str = "self_attn.o_proj"
    mlp: str = "mlp.down_proj"
    mixer: str = "self_attn.o_proj"
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
    residual_scale: str | None = None
    logit_scale: str | None = None
    logit_divisor: str | None = None


LLAMA = Layout(
    readers={
        "input_layernorm": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
        "post_attention_layernorm": ("mlp.gate_proj", "mlp.up_proj"),
    }
)
POST_NORM = Layout(attention="post_attention_layernorm", mlp="post_feedforward_layernorm")
ATTENTION = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj")
# A mixture of experts: its experts' weights are no linear modules, so that only the attention is adapted.
EXPERTS = Layout(mlp="mlp", lora=("self_attn.v_proj", "self_attn.o_proj"), matrices=ATTENTION)
LATENT = ("self_attn.kv_a_proj_with_mqa", "self_attn.kv_b_proj", "self_attn.o_proj")  # key and value from one vector
COHERE = Layout(logit_scale="logit_scale")


def _ungated(up: str, down: str, output: str = "self_attn.o_proj", norm: str = "model.norm") -> Layout:
    """Return a layout with Llama's attention and an MLP of two matrices."""
    return Layout(
        norm=norm,
        attention=output,
        mlp=down,
        mixer=output,
        lora=(up, down, "self_attn.v_proj", output),
        matrices=(*ATTENTION[:3], output, up, down),
    )


def _fused_gate(attention: str = "self_attn.o_proj", mlp: str = "mlp.down_proj") -> Layout:
    """Return a layout with Llama's attention and an MLP whose gate and up matrices are one."""
    fused = ("mlp.gate_up_proj", "mlp.down_proj")
    return Layout(
        attention=attention,
        mlp=mlp,
        lora=(*fused, "self_attn.v_proj", "self_attn.o_proj"),
        matrices=(*ATTENTION, *fused),
    )


# Fused matrices: the four that hold what the paper adapts are all that a layer has.
PHI3 = ("mlp.gate_up_proj", "mlp.down_proj", "self_attn.qkv_proj", "self_attn.o_proj")
GPT2 = ("mlp.c_fc", "mlp.c_proj", "attn.c_attn", "attn.c_proj")
GPT_NEOX = ("mlp.dense_h_to_4h", "mlp.dense_4h_to_h", "attention.query_key_value", "attention.dense")

LAYOUTS: dict[str, Layout] = {
    **dict.fromkeys(("llama", "mistral", "qwen2", "qwen3", "smollm3"), LLAMA),
    "gemma": Layout(),  # Llama's names, but the gain of a norm is 1 + w
    **dict.fromkeys(("ernie4_5", "helium", "hunyuan_v1_dense", "seed_oss", "stablelm"), Layout()),
    "granite": Layout(residual_scale="residual_multiplier", logit_divisor="logits_scaling"),
    **dict.fromkeys(("cohere", "cohere2"), COHERE),
    **dict.fromkeys(("gemma2", "gemma3_text", "olmo2", "olmo3", "exaone4"), POST_NORM),
    "gemma3": Layout(
        layers="model.language_model.layers",
        norm="model.language_model.norm",
        attention=POST_NORM.attention,
        mlp=POST_NORM.mlp,
    ),
    **dict.fromkeys(("nemotron", "apertus"), _ungated("mlp.up_proj", "mlp.down_proj")),
    "starcoder2": _ungated("mlp.c_fc", "mlp.c_proj"),
    "phi": _ungated("mlp.fc1", "mlp.fc2", output="self_attn.dense", norm="model.final_layernorm"),
    "phi3": Layout(lora=PHI3, matrices=PHI3),
    "glm": _fused_gate(),
    "glm4": _fused_gate("post_self_attn_layernorm", "post_mlp_layernorm"),
    **dict.fromkeys(("mixtral", "qwen2_moe", "qwen3_moe"), EXPERTS),
    "deepseek_v3": Layout(mlp="mlp", lora=LATENT[1:], matrices=LATENT),
    "gpt2": Layout(
        layers="transformer.h",
        norm="transformer.ln_f",
        attention="attn.resid_dropout",
        mlp="mlp.dropout",
        mixer="attn.c_proj",
        lora=GPT2,
        matrices=GPT2,
    ),
    "gpt_neox": Layout(
        layers="gpt_neox.layers",
        norm="gpt_neox.final_layer_norm",
        attention="post_attention_dropout",
        mlp="post_mlp_dropout",
        mixer="attention.dense",
        lora=GPT_NEOX,
        matrices=GPT_NEOX,
    ),
}
"""Layouts by ``config.model_type``."""
