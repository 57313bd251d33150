"""The linear part and the scale of norms, against the norms themselves."""

import pytest
import torch
from torch import nn
from transformers.models.gemma.modeling_gemma import GemmaRMSNorm
from transformers.models.llama.modeling_llama import LlamaRMSNorm

from semalign.models.norms import LinearNorm, gain_and_bias

NORMS = {
    "LayerNorm": (lambda: nn.LayerNorm(8), True),
    "RMSNorm": (lambda: LlamaRMSNorm(8), False),
    "one plus gain": (lambda: GemmaRMSNorm(8), False),
}


@pytest.mark.parametrize(("make", "centred"), NORMS.values(), ids=NORMS.keys())
@torch.no_grad()
def test_a_norm_is_its_scale_times_its_linear_part_and_its_bias(make, centred):
    norm = make()
    for p in norm.parameters():
        p.add_(torch.randn(8, generator=torch.Generator().manual_seed(2)))
    parts = LinearNorm.measured(norm, 8)
    assert parts.centred is centred and bool(parts.bias.any()) is centred
    states = torch.randn(5, 8) + 0.5
    torch.testing.assert_close(parts.scale(states)[:, None] * parts.linear(states) + parts.bias, norm(states))
    a, b = states[:2]
    torch.testing.assert_close(parts.linear(a + 3 * b), parts.linear(a) + 3 * parts.linear(b))


def test_another_module_has_no_linear_part():
    with pytest.raises(ValueError, match="Tanh is neither an RMSNorm nor a LayerNorm"):
        LinearNorm.measured(nn.Tanh(), 8)


def half(norm):
    """Return the norm in bfloat16, with a gain of 0.5 to 1.5 and, if it has one, a bias of -1 to 1."""
    generator = torch.Generator().manual_seed(3)
    shift = 1.0 if isinstance(norm, GemmaRMSNorm) else 0.0
    norm.weight.data = torch.rand(8, generator=generator) + 0.5 - shift
    if getattr(norm, "bias", None) is not None:
        norm.bias.data = 2 * torch.rand(8, generator=generator) - 1
    return norm.bfloat16(), shift


@pytest.mark.parametrize(("make", "centred"), NORMS.values(), ids=NORMS.keys())
@torch.no_grad()
def test_a_norm_in_half_precision_is_measured_in_float32(make, centred):
    norm, shift = half(make())
    gain, bias = gain_and_bias(norm, 8)
    exact = norm.weight.double() + shift
    assert gain.dtype == bias.dtype == torch.float32
    torch.testing.assert_close(gain.double(), exact, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(bias.double(), norm.bias.double() if centred else 0 * exact, rtol=1e-6, atol=1e-6)
    assert {p.dtype for p in norm.parameters()} == {torch.bfloat16}  # the model's own norm stays as it is
    states = torch.randn(5, 8)
    parts = LinearNorm.measured(norm, 8)
    torch.testing.assert_close(parts.scale(states)[:, None] * parts.linear(states) + parts.bias, parts.norm(states))
