"""Attention by groups of heads against transformers' own, and that a model is left as it was."""

import pytest
import torch
from helpers.models import make_llama
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from semalign.evaluation.attention import NAME, by_groups, grouped_attention


@pytest.fixture
def module():
    return make_llama(64, 24, 1, 0, num_attention_heads=6, num_key_value_heads=2).model.layers[0].self_attn


@pytest.mark.parametrize("queries", [1, 3])
@pytest.mark.parametrize("masked", [True, False])
def test_it_is_that_of_transformers(module, queries, masked):
    generator = torch.Generator().manual_seed(0)
    query = torch.randn(4, 6, queries, 8, generator=generator)
    key, value = torch.randn(2, 4, 2, 9, 8, generator=generator)
    mask = torch.rand(4, 1, queries, 9, generator=generator) < 0.7
    mask[..., 0] = True
    mask = mask if masked else None
    ours, theirs = (
        attention(module, query, key, value, mask, scaling=0.3)[0]
        for attention in (grouped_attention, sdpa_attention_forward)
    )
    assert ours.shape == theirs.shape == (4, queries, 6, 8)
    torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-5)


def test_a_model_uses_it_in_the_block_only():
    model = make_llama(64, 24, 1, 0)
    before = model.config._attn_implementation
    with pytest.raises(RuntimeError), by_groups(model):
        assert model.config._attn_implementation == NAME
        raise RuntimeError
    assert model.config._attn_implementation == before == "sdpa"
    model.config._attn_implementation = "eager"
    with by_groups(model):
        assert model.config._attn_implementation == "eager"
