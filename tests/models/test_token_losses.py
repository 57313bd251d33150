"""The cross-entropy of tokens in parts, against that of whole logits."""

import pytest
import torch
from torch import nn

from semalign.models import token_losses as module
from semalign.models.architecture import Architecture
from semalign.models.token_losses import token_losses


@pytest.mark.parametrize("at_once", [2**24, 200])
def test_losses_and_gradients_are_those_of_whole_logits(student, monkeypatch, at_once):
    architecture = Architecture(student.model)
    monkeypatch.setattr(module, "LOGITS_AT_ONCE", at_once)
    vocabulary = len(architecture.head_weight)
    states = torch.randn(7, architecture.width, dtype=torch.float64, requires_grad=True)
    labels = torch.arange(7)
    losses = token_losses(architecture, states, labels)
    expected = nn.functional.cross_entropy(states @ architecture.head_weight.T, labels, reduction="none")
    torch.testing.assert_close(losses, expected)
    for ours, theirs in zip(*(torch.autograd.grad(each.sum(), states) for each in (losses, expected)), strict=True):
        torch.testing.assert_close(ours, theirs)
    assert 7 * vocabulary > 200


def test_parts_keep_no_logits(student, monkeypatch):
    architecture = Architecture(student.model)
    architecture.model.requires_grad_(False)
    vocabulary, kept = len(architecture.head_weight), []
    states = torch.randn(12, architecture.width, dtype=torch.float64, requires_grad=True)
    for at_once in (2**24, 3 * vocabulary):
        monkeypatch.setattr(module, "LOGITS_AT_ONCE", at_once)
        shapes = []
        with torch.autograd.graph.saved_tensors_hooks(
            lambda t, shapes=shapes: shapes.append(t.shape) or t, lambda t: t
        ):
            token_losses(architecture, states, torch.arange(12))
        kept.append([shape for shape in shapes if shape == (12, vocabulary) or shape == (3, vocabulary)])
    assert kept[0] and not kept[1]
