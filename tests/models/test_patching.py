"""A forward pass is replaced while a block runs, and no longer."""

import pytest
import torch
from torch import nn

from semalign.models.patching import patched_forward


def test_a_patch_ends_with_its_block_and_patches_nest():
    module, x = nn.Linear(2, 2), torch.ones(1, 2)
    plain = module(x)
    with patched_forward(module, lambda x: x):
        with patched_forward(module, lambda x: 3 * x):
            assert torch.equal(module(x), 3 * x)
        assert torch.equal(module(x), x)
    assert torch.equal(module(x), plain) and "forward" not in vars(module)


def test_a_patch_ends_on_an_error():
    module = nn.Linear(2, 2)
    with pytest.raises(RuntimeError, match="stopped"), patched_forward(module, lambda x: x):
        raise RuntimeError("stopped")
    assert "forward" not in vars(module)
