"""Types of numbers: what counts as wide, and copies in float32."""

import pytest
import torch
from helpers.models import make_llama

from semalign.models.precision import is_half, types_of, wide, wide_model, wide_type


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (torch.float16, torch.float32),
        (torch.bfloat16, torch.float32),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
    ],
)
def test_half_precision_becomes_float32_and_nothing_becomes_narrower(given, expected):
    assert wide_type(given) == wide(torch.ones(2, dtype=given)).dtype == expected


def test_a_model_with_one_half_precision_weight_is_copied_in_float32():
    model = make_llama(32, 8, 2, seed=0).bfloat16()
    model.lm_head.float()
    copied = wide_model(model)
    assert is_half(model) and not is_half(copied)
    assert types_of(model.parameters()) == ["bfloat16", "float32"] and types_of(copied.parameters()) == ["float32"]
    for name, parameter in model.named_parameters():
        assert torch.equal(copied.get_parameter(name), parameter.float())


def test_a_wide_model_is_not_copied():
    model = make_llama(32, 8, 2, seed=0)
    assert wide_model(model) is model
