"""Attention where transformers' ``sdpa`` is slow or wrong: of heads that share keys and values, and with a soft cap.

``sdpa`` copies the keys and values for each head that shares them. For one new token a row, the copy takes longer than
the attention. Where all heads share one key, it makes no copy: the key is repeated with stride 0. On a GPU, PyTorch's
memory-efficient kernel then gives other states, without an error, where there is a mask and the number of tokens is one
more than a multiple of 32 (https://github.com/pytorch/pytorch/issues/191937). And ``sdpa`` leaves out the soft cap on
the logits of attention that Gemma 2 has, without a warning.
"""

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
    d_head)``. With a mask, a single group is copied for each head.
    """
    rows, heads, queries, _ = query.shape
    groups = key.shape[1]
    plain = groups == heads or further.get("position_bias") is not None
    chosen: dict[str, Any] = {"attn_mask": attention_mask, "scale": scaling, "dropout_p": further.get("dropout", 0.0)}
    if queries == 1 and not plain:
        query = query.reshape(rows, groups, heads // groups, -1)
        return scaled_dot_product_attention(query, key, value, **chosen).reshape(rows, 1, heads, -1), None
    if groups > 1 or plain or attention_mask is None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, scaling=scaling, **further)
    key, value = (shared.repeat(1, heads, 1, 1) for shared in (key, value))
    return scaled_dot_product_attention(query, key, value, **chosen).transpose(1, 2).contiguous(), None


AttentionInterface.register(NAME, grouped_attention)
AttentionMaskInterface.register(NAME, sdpa_mask)


def keep_right(model: PreTrainedModel) -> None:
    """Let a model whose states ``sdpa`` would change use another attention, for good.

    It is :func:`grouped_attention` where all heads share one key, and transformers' ``eager`` with a soft cap.
    """
    config = model.config.get_text_config()
    if getattr(config, "attn_logit_softcapping", None) and model.config._attn_implementation == PLAIN:
        model.set_attn_implementation("eager")
    shares_one = getattr(config, "num_key_value_heads", None) == 1 or getattr(config, "multi_query", False)
    if shares_one and model.config._attn_implementation == PLAIN:
        model.config._attn_implementation = NAME


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
