"""Attention of one new token a row, without a copy of the keys and values for each query head that shares them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

NAME = "sdpa_by_groups"
PLAIN = "sdpa"


def grouped_attention(
    module: nn.Module,
    query: Float[Tensor, "rows heads queries d_head"],
    key: Float[Tensor, "rows groups tokens d_head"],
    value: Float[Tensor, "rows groups tokens d_head"],
    attention_mask: Bool[Tensor, "rows 1 queries tokens"] | None,
    scaling: float | None = None,
    **further: Any,
) -> tuple[Tensor, None]:
    """Return what transformers' ``sdpa`` returns, of shape (rows, queries, heads, d_head).

    For one query a row, the heads that share keys stand in the place of queries: ``(rows, groups, heads / groups,
    d_head)``. transformers copies the keys and values for each head, which takes longer than the attention itself.
    """
    rows, heads, queries, _ = query.shape
    groups = key.shape[1]
    if queries > 1 or groups == heads or further.get("position_bias") is not None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, scaling=scaling, **further)
    query = query.reshape(rows, groups, heads // groups, -1)
    found = scaled_dot_product_attention(query, key, value, attn_mask=attention_mask, scale=scaling)
    return found.reshape(rows, 1, heads, -1), None


AttentionInterface.register(NAME, grouped_attention)
AttentionMaskInterface.register(NAME, sdpa_mask)


@contextmanager
def by_groups(model: PreTrainedModel) -> Iterator[None]:
    """Let a model whose attention is ``sdpa`` use :func:`grouped_attention` while the block runs."""
    if model.config._attn_implementation != PLAIN:
        yield
        return
    model.config._attn_implementation = NAME
    try:
        yield
    finally:
        model.config._attn_implementation = PLAIN
