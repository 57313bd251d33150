"""What an MLP keeps for the backward pass: counted by hand from its activation function."""

from dataclasses import replace

import pytest
import torch
from helpers.models import SMALL, SPECIAL, make_architecture

from semalign.models.architecture import Architecture
from semalign.models.layouts import LLAMA
from semalign.planning.saved import saved_by_mlp
from semalign.planning.shapes import from_config

F = SMALL["intermediate_size"]
KEPT = {
    "llama": 3 * F,  # gate for SiLU; its result and the up-projection for their product
    "phi3": 3 * F,  # the same, gate and up-projection as halves of one product
    "gemma3_text": 3 * F,  # the kernel of GELU needs its input only
    "starcoder2": F,
    "gpt_neox": F,
    "nemotron": F,  # the square needs what the ReLU gives, and so does the ReLU
    "phi": 4 * F,  # GELU as a formula: x for its cube, x / 2, tanh, 1 + tanh
    "gpt2": 4 * 4 * SMALL["hidden_size"],
}


@pytest.mark.parametrize("model_type", KEPT)
def test_an_mlp_keeps_what_its_activation_function_needs(model_type):
    model = make_architecture(model_type, **SPECIAL.get(model_type, SMALL))
    assert from_config(model.config, "tiny").saved == KEPT[model_type]


def test_the_order_of_the_adapted_matrices_does_not_matter():
    model = make_architecture("llama", **SMALL)
    layout = replace(LLAMA, lora=tuple(reversed(LLAMA.lora)))
    assert saved_by_mlp(Architecture(model.to("meta"), layout)) == KEPT["llama"]


def test_a_backward_pass_of_a_real_layer_keeps_as_much():
    architecture = Architecture(make_architecture("phi", **SMALL))
    mlp, kept = architecture.layer(1).requires_grad_(False).get_submodule("mlp"), []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor) or tensor, lambda tensor: tensor):
        mlp(torch.zeros(1, 5, SMALL["hidden_size"], dtype=torch.float64, requires_grad=True))
    weights = {parameter.data_ptr() for parameter in mlp.parameters()}
    storages = {tensor.data_ptr(): tensor.numel() for tensor in kept if tensor.data_ptr() not in weights}
    assert sum(storages.values()) == 5 * KEPT["phi"]
