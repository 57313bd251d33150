"""Every architecture of the table: sub-layers add up to the layer, and no hook changes or outlives anything."""

import pytest
import torch
from helpers.models import SMALL, SPECIAL, TYPES, make_architecture
from transformers.pytorch_utils import Conv1D

from semalign.models.architecture import Architecture, norm_gain
from semalign.models.capture import capture, only_layers, run_from, states_at, states_entering


@pytest.fixture(params=TYPES)
def architecture(request) -> Architecture:
    return Architecture(make_architecture(request.param, **SPECIAL.get(request.param, SMALL)))


@pytest.fixture
def batch():
    input_ids = torch.randint(3, 64, (2, 9), generator=torch.Generator().manual_seed(0))
    attention_mask = torch.ones_like(input_ids)
    attention_mask[1, 6:] = 0
    return {"input_ids": input_ids, "attention_mask": attention_mask}


@torch.no_grad()
def test_sublayers_add_up_to_the_layer(architecture, batch):
    layers = range(1, architecture.n_layers + 1)
    seen = {}
    for interface in ("attention", "mlp", "residual", "layer"):
        with capture(architecture, layers, interface) as states:
            architecture.model(**batch)
        seen[interface] = states
    for k in layers:
        torch.testing.assert_close(seen["attention"][k] + seen["mlp"][k], seen["residual"][k])
        if k > 1:
            torch.testing.assert_close(seen["layer"][k - 1] + seen["residual"][k], seen["layer"][k])


@torch.no_grad()
def test_logits_with_hooks_are_bit_for_bit_the_same_and_hooks_are_removed(architecture, batch):
    plain = architecture.model(**batch).logits
    for interface in ("attention", "mlp", "residual", "layer"):
        with capture(architecture, range(1, architecture.n_layers + 1), interface):
            assert torch.equal(architecture.model(**batch).logits, plain)
    with pytest.raises(RuntimeError, match="stopped"), capture(architecture, [1], "mlp"):
        raise RuntimeError("stopped")
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in architecture.model.modules())
    assert torch.equal(architecture.model(**batch).logits, plain)


@torch.no_grad()
def test_prefix_then_suffix_is_the_whole_model(architecture, batch):
    whole = architecture.model(**batch, output_hidden_states=False)
    kept = batch["attention_mask"].bool()
    for k in range(1, architecture.n_layers + 1):
        entering = states_entering(architecture, k, **batch)
        final = run_from(architecture, k, entering, batch["attention_mask"])
        torch.testing.assert_close(architecture.logits(final)[kept], whole.logits[kept], rtol=1e-12, atol=1e-12)
    assert not any("forward" in vars(m) for m in architecture.model.modules())


@torch.no_grad()
def test_a_forward_that_stops_early_sees_the_same_states(architecture, batch):
    with capture(architecture, [1, 2], "mlp") as whole:
        architecture.model(**batch)
    early = states_at(architecture, [1, 2], "mlp", **batch)
    assert all(torch.equal(early[k], whole[k]) for k in (1, 2))


def test_patches_end_with_the_block_even_on_an_error(architecture):
    with pytest.raises(RuntimeError, match="stopped"), only_layers(architecture, 1, 1):
        raise RuntimeError("stopped")
    assert not any("forward" in vars(m) for m in architecture.model.modules())


def test_norm_gain_is_the_gain(architecture):
    gain = torch.rand(architecture.width, dtype=torch.float64) + 0.5
    with torch.no_grad():
        offset = 1.0 if architecture.model.config.model_type.startswith("gemma") else 0.0
        architecture.norm.weight.copy_(gain - offset)
        torch.testing.assert_close(norm_gain(architecture.norm, architecture.width), gain, rtol=1e-6, atol=1e-6)


def test_lora_targets_exist_and_belong_to_their_layer(architecture):
    for target in architecture.lora_targets([2]):
        assert target.startswith(f"{architecture.layout.layers}.1.")
        architecture.model.get_submodule(target)


def test_the_matrices_of_a_layer_are_all_that_are_linear(architecture):
    linear = {
        f"{architecture.layout.layers}.1.{path}"
        for path, module in architecture.layer(2).named_modules()
        if isinstance(module, torch.nn.Linear | Conv1D)
    }
    targets = architecture.lora_targets([2], all_matrices=True)
    assert sorted(targets) == sorted(linear)
    assert set(architecture.lora_targets([2])) <= linear


@pytest.mark.parametrize("k", [0, 4, -1])
def test_a_layer_outside_the_model_is_an_error(architecture, k):
    with pytest.raises(ValueError, match=r"layers 1\.\.3"):
        architecture.layer(k)


def test_an_unknown_interface_is_an_error(architecture):
    with pytest.raises(ValueError, match="attention, mlp, residual, layer"), capture(architecture, [1], "mpl"):
        pass


def test_an_unknown_architecture_says_how_to_add_it():
    with pytest.raises(ValueError, match=r"no layout for architecture 'opt'.*LAYOUTS"):
        Architecture(make_architecture("opt", hidden_size=16, num_hidden_layers=1, ffn_dim=8, num_attention_heads=2))
