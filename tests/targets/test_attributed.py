"""The modules that attribution looks at give the activations that they stand for, and can be scaled by parts."""

import pytest
import torch
from helpers.models import SMALL, SPECIAL, TYPES, make_architecture
from torch import nn

from semalign.models.architecture import Architecture
from semalign.models.capture import capture
from semalign.targets.attributed import activation_modules, scaled, units_of

IDS = torch.tensor([[3, 5, 8, 13]])


@pytest.mark.parametrize("interface", ["attention", "mlp", "residual", "layer"])
def test_a_module_gives_the_state_at_the_interface(teacher, interface):
    architecture, seen = Architecture(teacher.model), []
    with activation_modules(architecture, interface) as modules, capture(architecture, [2], interface) as states:
        hook = modules[1].register_forward_hook(lambda module, args, output: seen.append(output))
        teacher.model(IDS)
        hook.remove()
    output = seen[0][0] if isinstance(seen[0], tuple) else seen[0]
    torch.testing.assert_close(output, states[2])


@pytest.mark.parametrize("model_type", TYPES)
def test_every_layout_says_which_matrix_mixes_the_heads(model_type):
    """Its inputs are as many channels for each head; scaled to nothing, the attention adds nothing but a bias."""
    model = make_architecture(model_type, **SPECIAL.get(model_type, SMALL))
    architecture = Architecture(model)
    units = units_of(architecture, "heads")
    with activation_modules(architecture, "heads") as modules, capture(architecture, [1], "attention") as states:
        seen = []
        hook = modules[0].register_forward_hook(lambda module, args, output: seen.append(output.shape[-1]))
        with torch.no_grad(), scaled(modules[0], [0.0] * units):
            model(IDS)
        hook.remove()
    assert units == 2 and seen[0] % units == 0
    torch.testing.assert_close(states[1], states[1][:, :1].expand_as(states[1]))


def test_each_unit_has_its_factor():
    module = nn.Identity()
    with scaled(module, [2.0, 0.0]):
        assert module(torch.ones(1, 1, 4)).flatten().tolist() == [2.0, 2.0, 0.0, 0.0]
    assert "forward" not in vars(module)


def test_a_layer_is_one_unit_and_other_names_are_errors(teacher):
    architecture = Architecture(teacher.model)
    assert (units_of(architecture, "mlp"), units_of(architecture, "heads")) == (1, 2)
    with pytest.raises(ValueError, match="unknown interface 'head'"):
        units_of(architecture, "head")
