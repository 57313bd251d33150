"""The float32 head of a half-precision model, beside one whose head is in float32 altogether."""

import copy

import pytest
import torch
from accelerate.hooks import AlignDevicesHook, add_hook_to_module
from helpers.models import make_llama
from torch import nn

from semalign.models.wide_head import wide_head

IDS = torch.arange(12).view(2, 6)


@pytest.fixture
def half():
    return make_llama(48, 24, 2, 0, initializer_range=1.0).bfloat16().eval()


def from_states(model):
    """Return the logits of the model's own states by its head in float64."""
    states = model.model(IDS).last_hidden_state.double()
    return states @ model.lm_head.weight.double().T


@torch.no_grad()
@pytest.mark.parametrize("hooked", [False, True])
def test_logits_are_not_rounded_and_the_head_is_as_before_afterwards(half, hooked):
    if hooked:  # as a device map leaves it
        add_hook_to_module(half.lm_head, AlignDevicesHook("cpu"))
    before = half(IDS).logits
    rounded = (before.double() - from_states(half)).abs().max()
    with wide_head(half):
        logits = half(IDS).logits
    assert logits.dtype == torch.float32 and rounded > 0.01
    torch.testing.assert_close(logits.double(), from_states(half), rtol=1e-5, atol=1e-4)
    after = half(IDS).logits
    assert after.dtype == torch.bfloat16 and torch.equal(after, before)


@torch.no_grad()
def test_a_wide_head_and_one_that_is_no_matrix_are_left_alone(half):
    wide = copy.deepcopy(half).double()
    with wide_head(wide):
        assert "forward" not in wide.lm_head.__dict__ and wide(IDS).logits.dtype == torch.float64
    half.set_output_embeddings(nn.Sequential(half.lm_head))
    with wide_head(half):
        assert half(IDS).logits.dtype == torch.bfloat16


def test_the_head_is_restored_after_an_error(half):
    with pytest.raises(ZeroDivisionError), wide_head(half):
        raise ZeroDivisionError
    assert "forward" not in half.lm_head.__dict__
