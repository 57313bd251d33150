"""Dropout of the adapter alone, and losses and gradients that are not finite, told before a weight changes."""

import math

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import nn

from semalign.models.architecture import Architecture
from semalign.models.finite import NotFiniteError
from semalign.training.checks import adapter_dropout, check_gradients, check_loss


def training(model):
    return {name for name, module in model.named_modules() if module.training}


@pytest.mark.parametrize("error", [None, KeyboardInterrupt])
def test_the_dropout_of_the_adapter_is_on_in_the_block_only_and_no_other_is(student, error):
    config = LoraConfig(r=2, lora_dropout=0.5, target_modules=["up_proj"], task_type="CAUSAL_LM")
    model = get_peft_model(student.model, config).eval()
    try:
        with adapter_dropout(model):
            on = training(model)
            if error:
                raise error
    except KeyboardInterrupt:
        pass
    assert on == {name for name, _ in model.named_modules() if "lora_dropout" in name} and on
    assert not training(model)


def never():
    pytest.fail("a loss is computed again only to find the layer of a first step")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_later_loss_that_is_not_finite_names_its_step(student, value):
    check_loss({"layer": 0.5, "output": 1e30}, 1, Architecture(student.model), never)
    with pytest.raises(NotFiniteError, match=r"^the loss is not finite at step 2: lower learning_rate$"):
        check_loss({"layer": 0.5, "output": value}, 2, Architecture(student.model), never)
    with pytest.raises(NotFiniteError, match="at step 1: lower learning_rate"):
        check_loss({"loss": value}, 1, None, never)


def test_a_first_loss_that_is_not_finite_names_the_layer(student):
    architecture, ids = Architecture(student.model), torch.tensor([[5, 6, 7]])
    with torch.no_grad():  # the weights are finite, and what they give is not
        architecture.layer(2).mlp.down_proj.weight.fill_(1e308)
        with pytest.raises(NotFiniteError, match=r"losses of the first step of .* first in the mlp output of layer 2"):
            check_loss({"loss": math.nan}, 1, architecture, lambda: architecture.run(input_ids=ids))


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_gradient_that_is_not_finite_names_its_step(value):
    model = nn.Linear(2, 2)
    check_gradients(model.parameters(), 3)  # without a gradient there is nothing to check
    model.weight.grad = torch.tensor([[1.0, 1e18], [0.0, -1.0]])
    check_gradients(model.parameters(), 3)
    model.weight.grad[1, 0] = value
    with pytest.raises(NotFiniteError, match=r"^a gradient is not finite at step 3, though the loss is: use a wider"):
        check_gradients(model.parameters(), 3)
