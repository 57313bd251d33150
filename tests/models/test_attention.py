"""Attention by groups of heads: as of transformers, used where it must be, and with keys that are copied."""

import pytest
import torch
from helpers.models import make_architecture, make_llama
from peft import LoraConfig, get_peft_model
from torch.nn import functional
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from semalign.models import attention
from semalign.models.architecture import Architecture, plain_model
from semalign.models.attention import NAME, PLAIN, by_groups, grouped_attention
from semalign.models.capture import states_at


@pytest.mark.parametrize("groups", [1, 2, 6])
@pytest.mark.parametrize("queries", [1, 3])
@pytest.mark.parametrize("masked", [True, False])
def test_it_is_that_of_transformers(groups, queries, masked):
    module = make_llama(64, 24, 1, 0, num_attention_heads=6, num_key_value_heads=groups).model.layers[0].self_attn
    generator = torch.Generator().manual_seed(0)
    query = torch.randn(4, 6, queries, 8, generator=generator)
    key, value = torch.randn(2, 4, groups, 9, 8, generator=generator)
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


def shared_key(heads: int = 4, groups: int = 1, **given):
    return make_llama(64, 32, 2, 0, num_attention_heads=heads, num_key_value_heads=groups, **given)


def batch(tokens: int = 33, device: str = "cpu"):
    generator = torch.Generator().manual_seed(0)
    ids, mask = torch.randint(64, (3, tokens), generator=generator), torch.ones(3, tokens, dtype=torch.long)
    mask[1, 20:] = mask[2, 7:] = 0
    return ids.to(device), mask.to(device)


def test_heads_that_share_one_key_use_it_for_good_and_no_others():
    model = shared_key()
    assert model.config._attn_implementation == PLAIN
    Architecture(model)
    assert model.config._attn_implementation == NAME
    with by_groups(model):
        assert model.config._attn_implementation == NAME
    assert model.config._attn_implementation == NAME
    for other in (shared_key(groups=2), shared_key(groups=4)):
        assert plain_model(other).config._attn_implementation == PLAIN
    eager = shared_key()
    eager.config._attn_implementation = "eager"
    assert plain_model(eager).config._attn_implementation == "eager"
    adapted = get_peft_model(shared_key(), LoraConfig(target_modules=["q_proj"]))
    assert plain_model(adapted).config._attn_implementation == NAME


@pytest.mark.parametrize("tokens", [33, 40])
def test_no_kernel_gets_a_key_that_is_repeated_without_a_copy(monkeypatch, tokens):
    strides = []

    def watched(query, key, value, **further):
        strides.extend([key.stride(), value.stride()])
        return functional.scaled_dot_product_attention(query, key, value, **further)

    model = shared_key()
    expected = model(*batch(tokens)).logits
    monkeypatch.setattr(attention, "scaled_dot_product_attention", watched)
    found = plain_model(model)(*batch(tokens)).logits
    assert len(strides) == 4 and not any(0 in each for each in strides)
    seen = batch(tokens)[1].bool()
    torch.testing.assert_close(found[seen], expected[seen], atol=1e-6, rtol=1e-5)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("tokens", [32, 33, 65, 385])
def test_states_on_a_gpu_are_those_on_a_cpu(tokens):
    on_cpu, on_gpu = (Architecture(shared_key(max_position_embeddings=512).to(device)) for device in ("cpu", "cuda"))
    expected = states_at(on_cpu, [2], "layer", *batch(tokens))[2]
    found = states_at(on_gpu, [2], "layer", *batch(tokens, "cuda"))[2].cpu()
    seen = batch(tokens)[1].bool()
    torch.testing.assert_close(found[seen], expected[seen], atol=1e-4, rtol=1e-4)


def test_a_soft_cap_on_the_logits_of_attention_counts():
    config = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
    model = make_architecture("gemma2", **config, head_dim=8, attn_logit_softcapping=1e-3, vocab_size=64)
    ids = torch.arange(9)[None]
    with torch.no_grad():
        without = model(ids).logits
        Architecture(model)
        found = model(ids).logits
        model.config._attn_implementation = "eager"
        torch.testing.assert_close(found, model(ids).logits)
    assert (found - without).abs().max() > 1e-6
    plain = make_architecture("gemma2", **config, head_dim=8, attn_logit_softcapping=None, vocab_size=64)
    assert Architecture(plain).model.config._attn_implementation == PLAIN
