"""The neurons of a Llama-like model: in gated FFNs, and in attention whose query heads may share values."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from semalign.models.architecture import Architecture

KINDS = ("ffn", "attention")
UP, GATE, DOWN = "mlp.up_proj", "mlp.gate_proj", "mlp.down_proj"
VALUE, OUTPUT = "self_attn.v_proj", "self_attn.o_proj"


class Grouping(NamedTuple):
    """The grouping of query heads: number of key-value heads, query heads for each of them, dimensions of a head."""

    kv_heads: int
    queries: int
    head_dim: int

    def columns(self, dimensions: Int[Tensor, " n"]) -> Int[Tensor, "n queries"]:
        """Return the columns of W_o that read each value dimension; without groups, the dimension itself."""
        head, offset = dimensions // self.head_dim, dimensions % self.head_dim
        queries = torch.arange(self.queries, device=dimensions.device)
        # Query heads of one key-value head are adjacent in W_o, each with head_dim columns.
        return (head[:, None] * self.queries + queries) * self.head_dim + offset[:, None]


def weight(architecture: Architecture, k: int, path: str) -> Float[Tensor, "d_out d_in"]:
    """Return one weight matrix of layer ``k``, detached."""
    return architecture.layer(k).get_submodule(path).weight.detach()  # type: ignore[operator]


def grouping(architecture: Architecture) -> Grouping:
    """Return the grouping of the model's query heads, from the shapes of the value and output matrices."""
    config = architecture.model.config.get_text_config()
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    values, columns = weight(architecture, 1, VALUE).shape[0], weight(architecture, 1, OUTPUT).shape[1]
    return Grouping(values // head_dim, columns // values, head_dim)


def neuron_counts(architecture: Architecture) -> dict[str, int]:
    """Return the numbers of FFN neurons and of value dimensions in a layer."""
    return {
        "ffn": weight(architecture, 1, DOWN).shape[1],
        "attention": weight(architecture, 1, VALUE).shape[0],
    }


def check_gated(architecture: Architecture, role: str) -> None:
    """Check that a model is Llama-like.

    Raises:
        ValueError: unless the FFN is gated, value and output projections are separate linear maps, and both
            sub-layers write to the residual stream without a norm or a scale in between.
    """
    try:
        linear = all(
            isinstance(layer.get_submodule(path), nn.Linear)
            for layer in architecture.layers
            for path in (GATE, UP, DOWN, VALUE, OUTPUT)
        )
    except AttributeError:
        linear = False
    straight = (architecture.layout.attention, architecture.layout.mlp) == (OUTPUT, DOWN)
    if not linear or not straight or architecture.residual_scale != 1:
        raise ValueError(
            f"LaTen moves neurons of Llama-like models only, and the {role} is a {type(architecture.model).__name__}: "
            f"each layer needs linear {GATE}, {UP}, {DOWN}, {VALUE} and {OUTPUT} that write straight to the residual "
            "stream. Merge adapters first; for other architectures use semalign.transfer."
        )
