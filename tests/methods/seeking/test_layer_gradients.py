"""Sensitivities layer by layer, on several examples at once, against whole backward passes."""

import pytest
import torch
from helpers.models import SMALL, SPECIAL, make_architecture
from transformers.pytorch_utils import Conv1D

from semalign.data.rows import Example
from semalign.methods.seeking.layer_gradients import forward_passes, layer_sensitivities, matrix
from semalign.models.architecture import Architecture


def example(*ids, prompt=2):
    return Example(ids, prompt, tuple(map(str, ids)), tuple(range(1, len(ids) + 1)))


EXAMPLES = [example(5, 9, 7, 30, 12), example(11, 4, 8), example(3, 3, 6, 20, 21, 22, 23)]


def whole(model):
    """Return the sensitivities of all parameters from a backward pass for each example, by name."""
    sums = {}
    for each in EXAMPLES:
        model.zero_grad()
        ids = torch.tensor([each.input_ids])
        logits = model(ids).logits[0, each.positions()].log_softmax(-1)
        (-logits.gather(1, ids[0, each.prompt_length :, None]).mean()).backward()
        for name, p in model.named_parameters():
            if p.grad is not None:
                sums[name] = sums.get(name, 0) + (p * p.grad).abs().detach()
    model.zero_grad()
    return sums


@pytest.mark.parametrize("model_type", ["llama", "gpt2", "gemma2", "gpt_neox", "qwen2_moe"])
def test_sensitivities_are_those_of_whole_backward_passes(model_type):
    model = make_architecture(model_type, **SPECIAL.get(model_type, SMALL))
    architecture, expected = Architecture(model), whole(model)  # it may choose another attention
    model.requires_grad_(False)
    passes = forward_passes(architecture, EXAMPLES)
    for k in range(architecture.n_layers, 0, -1):
        layer = architecture.layer(k)
        found = list(layer_sensitivities(architecture, k, passes))
        assert all(len(each.states) == k for each in passes)  # the graphs above are gone
        for (name, sensitivity), (full, p) in zip(found, layer.named_parameters(), strict=True):
            assert p.grad is None and sensitivity.dtype == torch.float64
            literal = expected.get(f"{architecture.layout.layers}.{k - 1}.{full}", torch.zeros_like(p))
            assert name in ("", full.removesuffix(".weight"))
            turned = literal.T if name and isinstance(layer.get_submodule(name), Conv1D) else literal
            torch.testing.assert_close(sensitivity, turned, rtol=1e-9, atol=1e-15)
            if name in architecture.layout.matrices:
                assert sensitivity.shape == matrix(layer.get_submodule(name)).shape
