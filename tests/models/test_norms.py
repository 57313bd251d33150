"""The linear part and the scale of norms, against the norms themselves."""

import pytest
import torch
from torch import nn
from transformers.models.gemma.modeling_gemma import GemmaRMSNorm
from transformers.models.llama.modeling_llama import LlamaRMSNorm

from semalign.models.norms import LinearNorm

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
    parts = LinearNorm.measured(norm, 8, torch.empty(0))
    assert parts.centred is centred and bool(parts.bias.any()) is centred
    states = torch.randn(5, 8) + 0.5
    torch.testing.assert_close(parts.scale(states)[:, None] * parts.linear(states) + parts.bias, norm(states))
    a, b = states[:2]
    torch.testing.assert_close(parts.linear(a + 3 * b), parts.linear(a) + 3 * parts.linear(b))


def test_another_module_has_no_linear_part():
    with pytest.raises(ValueError, match="Tanh is neither an RMSNorm nor a LayerNorm"):
        LinearNorm.measured(nn.Tanh(), 8, torch.empty(0))
