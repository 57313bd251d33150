"""Loss scaling: small gradients survive float16, and a scale that overflows is halved without losing the step."""

import torch
from torch import nn

from semalign.training.loss_scale import HIGHEST, LossScale


class Through(nn.Module):
    """A trained float32 weight behind a frozen float16 factor, as an adapter in a half-precision model."""

    def __init__(self, factor, dtype=torch.float16):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([2.0]))
        self.factor = nn.Parameter(torch.tensor([factor], dtype=dtype), requires_grad=False)

    def loss(self, share):
        # The gradient of the product passes through float16 on its way to the weight.
        return ((self.weight.to(self.factor.dtype) * self.factor).float() * share).sum()


def test_a_gradient_below_the_smallest_float16_number_survives():
    model = Through(1.0)
    plain = torch.autograd.grad(model.loss(1e-9), model.weight)[0]
    scale = LossScale(model)
    scale.gradients(lambda: scale.backward(model.loss(1e-9)), [model.weight])
    assert plain.item() == 0
    torch.testing.assert_close(model.weight.grad, torch.tensor([1e-9]), rtol=1e-2, atol=0)


def test_a_scale_that_overflows_is_halved_until_it_does_not():
    model, attempts = Through(2.0), []
    scale = LossScale(model)

    def compute():
        attempts.append((scale.value, torch.rand(1).item()))
        scale.backward(model.loss(100.0))
        return "terms"

    assert scale.gradients(compute, [model.weight]) == "terms"
    # 200 * value < 65504 first holds at 256; each attempt draws the same random numbers
    assert [value for value, _ in attempts] == [HIGHEST / 2**i for i in range(9)]
    assert len({drawn for _, drawn in attempts}) == 1
    assert model.weight.grad.item() == 200
    scale.reset()
    assert scale.value == HIGHEST


def test_without_float16_weights_nothing_is_scaled():
    for dtype in (torch.bfloat16, torch.float32, torch.float64):
        model = Through(2.0, dtype)
        scale = LossScale(model)
        scale.gradients(lambda model=model, scale=scale: scale.backward(model.loss(3.0)), [model.weight])
        assert scale.value == 1 and model.weight.grad.item() == 6


def test_a_gradient_that_is_infinite_at_any_scale_is_left_as_it_is():
    model = Through(2.0)
    scale = LossScale(model)
    scale.gradients(lambda: scale.backward(model.loss(float("inf"))), [model.weight])
    assert scale.value == 1 and model.weight.grad.isinf().all()
