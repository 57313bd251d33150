"""Losses that overwrite logits by their gradient, against the literal formulas and differences, in float64."""

import pytest
import torch
from torch import nn

from semalign.models.logit_losses import cross_entropies, kl_of_logits

LABELS = torch.tensor([3, 0, 4])


def logits(seed=0):
    return torch.randn(3, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_cross_entropies_and_their_gradient(smoothing):
    z, w = logits(), torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    y = (1 - smoothing) * nn.functional.one_hot(LABELS, 5) + smoothing / 5
    expected = -(y * z.log_softmax(-1)).sum(-1)
    found = cross_entropies(z * 1, LABELS, smoothing)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(*(torch.autograd.grad(w @ each, z)[0] for each in (found, expected)))


@pytest.mark.parametrize("reverse", [False, True])
def test_divergences_and_their_gradient(reverse):
    z, teacher = logits(), logits(1).detach()
    of = (z, teacher) if reverse else (teacher, z)
    log_p, log_q = (each.log_softmax(-1) for each in of)
    expected = (log_p.exp() * (log_p - log_q)).sum(-1)
    found = kl_of_logits(teacher.clone(), z * 1, reverse=reverse)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(*(torch.autograd.grad(each.square().sum(), z)[0] for each in (found, expected)))


def test_the_gradient_lies_where_the_logits_were():
    z, theirs = torch.randn(2, 2, 5, requires_grad=True)
    for make in (lambda own: cross_entropies(own, LABELS[:2]), lambda own: kl_of_logits(theirs.detach() * 1, own)):
        own = z * 1
        found = make(own)
        assert found.grad_fn.saved_tensors[0].data_ptr() == own.data_ptr()


def test_what_was_used_is_not_used_again():
    z = logits()
    losses = cross_entropies(z * 1, LABELS).sum()
    losses.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        losses.backward()


def test_logits_that_their_maker_needs_are_not_overwritten_unseen():
    z = logits()
    losses = cross_entropies(z.tanh(), LABELS)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        losses.sum().backward()


def test_a_probability_of_almost_zero_has_a_finite_loss():
    z = torch.tensor([[0.0, 500.0, 0.0]], requires_grad=True)
    losses = cross_entropies(z * 1, torch.tensor([0]))
    assert losses.item() == 500.0
    torch.testing.assert_close(torch.autograd.grad(losses, z)[0], torch.tensor([[-1.0, 1.0, 0.0]]))
