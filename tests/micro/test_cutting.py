"""A cut model against the library's own cuts, which share no code with these."""

import pytest
import torch

from semalign.micro.cutting import narrowed, paired_layers, principal_directions, with_layers
from semalign.micro.pretrain import new_model
from semalign.micro.recipe import Shape
from semalign.models.architecture import Architecture
from semalign.models.loading import LanguageModel
from semalign.models.slicing import rotated
from semalign.models.students import drop_layers
from semalign.targets.pairing import LayerMap

IDS = torch.tensor([[3, 40, 500, 600, 7], [9, 8, 70, 300, 2]])


@pytest.fixture
def model(tokenizer):
    """A random Llama of five layers whose norms have gains of their own."""
    made = new_model(Shape(layers=5, hidden=16, intermediate=24, heads=2), tokenizer, 0).eval()
    random = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if "norm" in name:
                parameter.copy_(0.5 + torch.rand(parameter.shape, generator=random))
    return made


@torch.no_grad()
def _logits(model):
    return model.eval()(IDS).logits


def test_at_full_width_it_is_the_same_function(model):
    whole = narrowed(model, IDS, 16)
    torch.testing.assert_close(_logits(whole), _logits(model), atol=1e-5, rtol=1e-3)
    assert not torch.allclose(whole.get_input_embeddings().weight, model.get_input_embeddings().weight)


def test_narrowed_weights_are_those_of_the_librarys_rotation(model):
    narrow = narrowed(model, IDS, 12)
    basis = principal_directions(model, IDS)[:, :12]
    expected = rotated(Architecture(model), basis)
    assert narrow.state_dict().keys() == expected.keys()
    for name, weight in narrow.state_dict().items():
        torch.testing.assert_close(weight, expected[name])
    assert (narrow.config.hidden_size, narrow.config.head_dim) == (12, 8)
    assert narrow.config.rms_norm_eps == pytest.approx(1e-6 * 16 / 12)


def test_directions_hold_the_states_before_every_norm(model):
    inputs = []
    for module in (part for name, part in model.named_modules() if name.endswith("norm")):
        module.register_forward_pre_hook(lambda _norm, given: inputs.append(given[0].flatten(0, 1)))
    directions = principal_directions(model, IDS)
    states = torch.nn.functional.normalize(torch.cat(inputs).double(), dim=-1)
    assert len(states) == 11 * IDS.numel()
    captured = (states @ directions).square().sum(0)
    torch.testing.assert_close(captured, torch.linalg.svdvals(states).square())


def test_a_model_with_fewer_layers_is_the_librarys(model, tokenizer):
    expected = drop_layers(LanguageModel(model, tokenizer), 3).model
    fewer = with_layers(model, [1, 2, 4, 5])
    assert fewer.config.num_hidden_layers == 4
    assert torch.equal(_logits(fewer), _logits(expected))


def test_layers_kept_are_those_of_the_layer_map():
    assert paired_layers(10, 8) == [1, 2, 3, 5, 6, 7, 8, 10]
    for n_student in range(1, 11):
        layer_map = LayerMap(10, n_student)
        assert paired_layers(10, n_student) == [layer_map[k] for k in range(1, n_student + 1)]
