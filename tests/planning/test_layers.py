"""The pairs of a plan are those that a transfer chooses, or the worst case where attribution would find them."""

import pytest

from semalign.models.pair import Pair
from semalign.planning.layers import attributes, deepest, pairs_of
from semalign.planning.machines import MACHINES
from semalign.planning.setup import Setup
from semalign.planning.shapes import from_config, shapes_of
from semalign.settings import TransferSettings
from semalign.targets.choice import LayerPair, choose_layers
from semalign.training.schedules.frontier import layer_map

SMALLER, LARGER = (shapes_of(f"meta-llama/Llama-2-{size}-chat-hf") for size in ("7b", "13b"))
SETUP = Setup(MACHINES["a100"], LARGER, SMALLER)


@pytest.fixture
def models(teacher, student):
    """A pair of models, and its setup: five layers and four."""
    shapes = (from_config(model.model.config, model.name) for model in (teacher, student))
    return Pair(teacher, student), Setup(MACHINES["a100"], *shapes)


@pytest.mark.parametrize(
    "given",
    [
        {"student_layer": 3},
        {"teacher_layer": 4},
        {"teacher_layer": 2, "student_layer": 4},
        {"student_layers": [4, 2]},
        {"student_layers": [4, 2], "layer_map": {4: 3}},
        {"student_layers": [1, 4], "interpolate": True},
        {"teacher_layer": 4, "interpolate": True},
    ],
)
def test_layers_that_the_settings_decide_are_those_of_the_transfer(models, given):
    pair, setup = models
    settings = TransferSettings(**given)
    assert not attributes(settings)
    assert pairs_of(setup, settings) == choose_layers(pair, settings, []).pairs


def test_a_schedule_that_trains_every_layer_has_all_pairs(models):
    pair, setup = models
    settings = TransferSettings(schedule="frontier")
    expected = [LayerPair([(layer, 1.0)], k) for k, layer in layer_map(pair, settings)]
    assert pairs_of(setup, settings) == expected and not attributes(settings)


def test_before_attribution_it_is_the_worst_case():
    assert attributes(TransferSettings())
    assert pairs_of(SETUP, TransferSettings()) == [LayerPair([(40, 1.0)], 1)]
    (mixed,) = pairs_of(SETUP, TransferSettings(interpolate=True))
    assert (len(mixed.teacher), deepest(mixed.teacher), mixed.student) == (2, 40, 1)
    equal = Setup(SETUP.machine, SMALLER, SMALLER)  # at equal depths no layer is mixed
    assert pairs_of(equal, TransferSettings(interpolate=True)) == [LayerPair([(32, 1.0)], 1)]


def test_a_layer_that_does_not_exist_is_an_error():
    with pytest.raises(ValueError, match=r"student layer 33 does not exist: layers are 1\.\.32"):
        pairs_of(SETUP, TransferSettings(student_layers=[33]))
