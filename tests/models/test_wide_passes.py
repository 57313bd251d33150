"""Passes in float32 of models in half precision: states as of a float32 copy, weights as they were."""

from copy import deepcopy

import pytest
import torch
from helpers.models import make_architecture, make_llama

from semalign.models.architecture import Architecture
from semalign.models.capture import capture
from semalign.models.wide_passes import wide_passes

IDS = torch.tensor([[3, 5, 8, 13, 21]])


@pytest.fixture(params=[torch.bfloat16, torch.float16], ids=str)
def half(request):
    return Architecture(make_llama(93, 16, 4, seed=1).to(request.param))


def states(model):
    with torch.no_grad(), capture(model, [1, 4], "layer") as found:
        model.run(input_ids=IDS)
    return found


def test_states_are_those_of_a_float32_copy(half):
    expected = states(Architecture(deepcopy(half.model).float()))
    with wide_passes(half):
        found = states(half)
    for k in (1, 4):
        assert found[k].dtype == torch.float32
        torch.testing.assert_close(found[k], expected[k], rtol=1e-5, atol=1e-6)
    assert not torch.allclose(states(half)[4].float(), expected[4], rtol=1e-5, atol=1e-6)


def test_a_final_norm_that_takes_one_type_only_is_wide_too(tokenizer):
    config = {
        "hidden_size": 16,
        "intermediate_size": 24,
        "num_hidden_layers": 4,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
    }
    half = Architecture(make_architecture("stablelm", vocab_size=93, **config).to(torch.bfloat16))
    expected = states(Architecture(deepcopy(half.model).float()))
    with wide_passes(half):
        torch.testing.assert_close(states(half)[4], expected[4], rtol=1e-5, atol=1e-6)
    assert half.norm.weight.dtype == torch.bfloat16


def test_weights_are_bit_for_bit_what_they_were(half):
    before = {name: parameter.clone() for name, parameter in half.model.named_parameters()}
    with wide_passes(half):
        states(half)
        assert half.layer(2).mlp.up_proj.weight.dtype == half.model.dtype  # only the layer that runs is wide
    for name, parameter in half.model.named_parameters():
        assert parameter.dtype == before[name].dtype and torch.equal(parameter, before[name])


def test_a_layer_that_fails_gets_its_type_back(half, monkeypatch):
    def fail(*args, **kwargs):
        raise RuntimeError("in the middle")

    monkeypatch.setattr(half.layer(3).mlp, "forward", fail)
    with pytest.raises(RuntimeError, match="in the middle"), wide_passes(half):
        states(half)
    assert {p.dtype for p in half.model.parameters()} == {half.model.dtype}


def test_a_wide_model_is_left_as_it_is(student):
    model = Architecture(student.model)
    before = states(model)
    with wide_passes(model):
        found = states(model)
    assert all(torch.equal(found[k], before[k]) for k in found)
