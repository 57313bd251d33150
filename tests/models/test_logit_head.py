"""The LM head: the gain of the final norm folded in, logits of some tokens, and adapters on the head itself."""

import copy

import pytest
import torch
from helpers.models import SMALL, make_architecture, make_llama
from peft import LoraConfig, get_peft_model

from semalign.models.architecture import Architecture
from semalign.models.logit_head import head_weight


@torch.no_grad()
def test_the_gain_of_the_final_norm_is_folded_into_the_head(architecture):
    gain = torch.rand(architecture.width, dtype=torch.float64) + 0.5
    offset = 1.0 if architecture.model.config.model_type.startswith(("gemma", "nemotron")) else 0.0
    architecture.norm.weight.copy_(gain - offset)
    folded = architecture.head_weight * gain
    torch.testing.assert_close(architecture.folded_head(), folded, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(architecture.folded_head(torch.tensor([7, 2])), folded[[7, 2]], rtol=1e-6, atol=1e-6)


@torch.no_grad()
def test_a_head_in_half_precision_is_folded_in_float32():
    architecture = Architecture(make_architecture("gemma", **SMALL).bfloat16())
    torch.nn.init.uniform_(architecture.norm.weight, -0.5, 0.5)
    found, weight = architecture.folded_head(), architecture.head_weight.double()
    assert found.dtype == torch.float32 and not found.requires_grad
    torch.testing.assert_close(found.double(), weight * (1 + architecture.norm.weight.double()), rtol=1e-6, atol=0)


@pytest.mark.parametrize(("tokens", "copied"), [([0, 1, 2, 3], False), ([1, 0, 2], True), ([1, 2, 3], True)])
def test_logits_of_some_tokens(student, tokens, copied):
    architecture, states = Architecture(student.model), torch.randn(5, 12, dtype=torch.float64)
    logits = architecture.logits_of(states.dtype, torch.tensor(tokens))
    torch.testing.assert_close(logits(states), states @ architecture.head_weight[tokens].T)
    # The first tokens in order, as all that two models with one tokenizer share, are no copy: they follow the head.
    with torch.no_grad():
        architecture.head_weight.zero_()
    assert bool(logits(states).any()) is copied


@pytest.fixture(params=["float64", "float32", "bfloat16"])
def adapted(request):
    """A model with LoRA on its head alone, whose second factor is not zero."""
    plain = make_llama(48, 24, 2, 0, initializer_range=1.0).to(getattr(torch, request.param))
    config = LoraConfig(r=2, target_modules=["lm_head"], init_lora_weights=False, task_type="CAUSAL_LM")
    return get_peft_model(plain, config)


def literal(adapted, states):
    """Return ``(W + s B A) h`` in float64."""
    head = adapted.get_output_embeddings()
    (a,), (b,) = head.lora_A.values(), head.lora_B.values()
    weight = head.base_layer.weight.double() + head.scaling["default"] * b.weight.double() @ a.weight.double()
    return states.double() @ weight.T


@pytest.mark.parametrize("tokens", [None, [3, 1]])
@pytest.mark.parametrize("wider", [False, True])
def test_an_adapter_on_the_head_is_part_of_the_logits(adapted, tokens, wider):
    architecture = Architecture(adapted)
    dtype = adapted.get_output_embeddings().base_layer.weight.dtype
    states = torch.randn(5, 24).to(torch.promote_types(dtype, torch.float32) if wider else dtype)
    logits = architecture.logits(states, None if tokens is None else torch.tensor(tokens))
    expected = literal(adapted, states) if tokens is None else literal(adapted, states)[:, tokens]
    exact = wider or dtype != torch.bfloat16
    torch.testing.assert_close(logits.double(), expected, rtol=1e-5 if exact else 0.05, atol=1e-3 if exact else 0.5)
    assert not architecture.logits_are_linear
    logits.sum().backward()
    trained = [p for name, p in adapted.named_parameters() if "lora" in name]
    assert len(trained) == 2 and all(p.grad is not None and p.grad.abs().sum() > 0 for p in trained)


def test_a_head_is_its_weight_again_once_its_adapter_is_merged_or_off(adapted):
    with pytest.raises(ValueError, match=r"^an adapter is on the LM head of this LlamaForCausalLM: merge it first"):
        head_weight(adapted.get_base_model())
    with adapted.disable_adapter():
        assert Architecture(adapted).logits_are_linear
        assert torch.equal(head_weight(adapted.get_base_model()), adapted.get_output_embeddings().base_layer.weight)
    before = copy.deepcopy(adapted.get_output_embeddings().base_layer.weight)
    merged = adapted.merge_and_unload()
    assert Architecture(merged).logits_are_linear and not torch.equal(head_weight(merged), before)


def test_states_of_more_precision_than_an_adapted_head_give_logits_of_their_type(adapted):
    states = torch.randn(5, 24, dtype=torch.float64)
    logits = Architecture(adapted).logits(states)
    assert logits.dtype == torch.float64
    torch.testing.assert_close(logits, literal(adapted, states), rtol=1e-5, atol=1e-3)
