"""States read from a running model, of every architecture: no hook changes or outlives anything."""

import pytest
import torch

from semalign.models.capture import capture, only_layers, run_from, states_at, states_entering


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


def test_an_unknown_interface_is_an_error(architecture):
    with pytest.raises(ValueError, match="attention, mlp, residual, layer"), capture(architecture, [1], "mpl"):
        pass
