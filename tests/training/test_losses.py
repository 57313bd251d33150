"""Cosine losses by hand, and the logit-free form against the literal one: values and gradients in float64."""

import pytest
import torch

from semalign.training.losses import LogitFreeCosine, layer_cosine_loss, output_cosine_loss


def test_layer_loss_by_hand():
    h = torch.tensor([[1.0, 0.0], [3.0, 4.0], [0.0, 2.0]])
    target = torch.tensor([[2.0, 0.0], [4.0, 3.0], [0.0, -1.0]])
    assert layer_cosine_loss(h, target).item() == pytest.approx(1 - (1 + 0.96 - 1) / 3)
    assert layer_cosine_loss(h, target, torch.tensor([True, True, False])).item() == pytest.approx(0.02)


def test_output_loss_by_hand():
    logits = torch.tensor([[3.0, 4.0], [0.0, 5.0], [7.0, 7.0]])
    assert output_cosine_loss(logits, torch.tensor([1, 1, -100])).item() == pytest.approx(1 - (0.8 + 1) / 2)


def test_label_smoothing_by_hand():
    y = torch.tensor([0.95, 0.05])
    expected = 1 - (3 * y[0] + 4 * y[1]) / (5 * y.norm())
    assert output_cosine_loss(torch.tensor([[3.0, 4.0]]), torch.tensor([0]), 0.1).item() == pytest.approx(
        expected.item()
    )


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("centred", [False, True])
def test_logit_free_cosine_is_the_literal_one(smoothing, centred):
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(50, 8, generator=generator, dtype=torch.float64)
    states = torch.randn(6, 8, generator=generator, dtype=torch.float64, requires_grad=True)
    labels = torch.randint(0, 50, (6,), generator=generator)

    fast = 1 - LogitFreeCosine(weight, smoothing, centred)(states, labels).mean()
    logits = states @ weight.T
    if centred:
        y = torch.full_like(logits, smoothing / 50)
        y[range(6), labels] += 1 - smoothing
        logits, y = logits - logits.mean(-1, keepdim=True), y - y.mean(-1, keepdim=True)
        literal = 1 - torch.nn.functional.cosine_similarity(logits, y, dim=-1).mean()
    else:
        literal = output_cosine_loss(logits, labels, smoothing)
    torch.testing.assert_close(fast, literal, rtol=1e-12, atol=1e-12)
    gradients = [torch.autograd.grad(loss, states, retain_graph=True)[0] for loss in (fast, literal)]
    torch.testing.assert_close(*gradients, rtol=1e-10, atol=1e-12)


def test_a_common_shift_of_all_logits_changes_the_centred_loss_not():
    weight = torch.randn(50, 8, dtype=torch.float64)
    weight[:, 0] = 1  # a direction that moves every logit alike
    states, labels = torch.randn(3, 8, dtype=torch.float64), torch.tensor([1, 2, 3])
    shifted = states.clone()
    shifted[:, 0] += 5
    centred, plain = LogitFreeCosine(weight, centred=True), LogitFreeCosine(weight)
    torch.testing.assert_close(centred(states, labels), centred(shifted, labels))
    assert not torch.allclose(plain(states, labels), plain(shifted, labels))
