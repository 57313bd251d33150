"""Losses of tokens in parts, against those of whole logits, written out in float64."""

import pytest
import torch
from torch import nn

from semalign.models import token_losses as module
from semalign.models.architecture import Architecture
from semalign.models.token_losses import by_parts, token_losses

LABELS = torch.tensor([0, 5, 5, 92, 3, 1, 7])
WEIGHTS = torch.linspace(-1, 2, 7, dtype=torch.float64)  # the gradient that reaches each position


@pytest.fixture(params=[2**22, 200], ids=["one part", "four parts"])
def architecture(student, monkeypatch, request):
    """The student, whose head is 93 x 12, so that 200 logits are those of two positions."""
    monkeypatch.setattr(module, "LOGITS_AT_ONCE", request.param)
    return Architecture(student.model)


def states(rows=7):
    return torch.randn(rows, 12, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize("trained", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_losses_and_gradients_are_those_of_whole_logits(architecture, smoothing, trained):
    head, h = architecture.head_weight, states()
    head.requires_grad_(trained)
    y = (1 - smoothing) * nn.functional.one_hot(LABELS, 93).double() + smoothing / 93
    losses, expected = token_losses(architecture, h, LABELS, smoothing), -(y * (h @ head.T).log_softmax(-1)).sum(-1)
    torch.testing.assert_close(losses, expected)
    leaves = [h, head] if trained else [h]
    found, literal = (torch.autograd.grad((WEIGHTS * each).sum(), leaves) for each in (losses, expected))
    torch.testing.assert_close(found, literal)


def test_the_gradient_is_that_of_differences(architecture):
    architecture.model.requires_grad_(False)
    assert torch.autograd.gradcheck(lambda h: token_losses(architecture, h, LABELS), states())


def test_any_function_of_a_position_can_be_computed_in_parts(architecture):
    architecture.model.requires_grad_(False)
    h, others = states(), torch.randn(7, 3, dtype=torch.float64)
    found = by_parts(architecture, lambda x, other: architecture.logits(x)[:, 4] ** 2 * other.sum(-1), h, others)
    expected = (h @ architecture.head_weight[4]) ** 2 * others.sum(-1)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(*(torch.autograd.grad((WEIGHTS * each).sum(), h) for each in (found, expected)))


def test_without_gradients_none_is_computed(architecture):
    with torch.no_grad():
        losses = token_losses(architecture, states(), LABELS)
    assert losses.shape == (7,) and not losses.requires_grad


def test_no_position_is_no_loss(architecture):
    assert token_losses(architecture, states(0), LABELS[:0]).shape == (0,)


@pytest.mark.parametrize("trained", [False, True])
def test_logits_of_one_part_are_made_at_a_time_and_none_is_kept(student, monkeypatch, trained):
    architecture, seen = Architecture(student.model), []
    architecture.model.requires_grad_(False)
    architecture.head_weight.requires_grad_(trained)
    monkeypatch.setattr(module, "LOGITS_AT_ONCE", 3 * 93)
    hook = architecture.lm_head.register_forward_hook(lambda head, given, logits: seen.append(tuple(logits.shape)))
    losses = token_losses(architecture, states(7), LABELS)
    hook.remove()
    assert seen == [(3, 93), (3, 93), (1, 93)]
    assert trained or [tuple(each.shape) for each in losses.grad_fn.saved_tensors] == [(7, 12)]


def test_rows_of_a_wider_type_are_made_once(student, monkeypatch):
    architecture, made = Architecture(student.model.to(torch.bfloat16)), []
    monkeypatch.setattr(module, "LOGITS_AT_ONCE", 93)
    rows = architecture._head_rows
    monkeypatch.setattr(architecture, "_head_rows", lambda *args: made.append(args) or rows(*args))
    assert token_losses(architecture, states(7).bfloat16(), LABELS).dtype == torch.float32
    assert made == [(torch.float32, None)]
