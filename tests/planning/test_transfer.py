"""The phases of a transfer at the shapes of Llama 2, and which settings change them."""

import pytest

from semalign.planning import flops, memory, transfer
from semalign.planning.machines import MACHINES
from semalign.planning.memory import Batch
from semalign.planning.phases import phases_of
from semalign.planning.setup import Options, Setup
from semalign.planning.shapes import shapes_of
from semalign.planning.texts import Texts
from semalign.settings import TransferSettings
from semalign.targets.attribution_methods import NODES

SMALLER, LARGER = (shapes_of(f"meta-llama/Llama-2-{size}-chat-hf") for size in ("7b", "13b"))
SETUP = Setup(MACHINES["a100"], LARGER, SMALLER)
TEXTS = Texts.of([(411, 100)] * 64)


def named(settings, setup=SETUP):
    return {phase.name: phase for phase in phases_of(setup, TransferSettings(**settings), TEXTS)}


def test_the_phases_in_order():
    names = [phase.name for phase in transfer.phases(SETUP, TransferSettings(), TEXTS)]
    read = ["read", "student prefix", "training"]
    assert names == ["read", "bases and map", "attribution", "teacher states", *read]


@pytest.mark.parametrize(
    "settings", [{"teacher_layer": 3}, {"student_layer": 3}, {"student_layers": [3]}, {"schedule": "frontier"}]
)
def test_layers_that_are_given_need_no_attribution(settings):
    assert "attribution" not in named(settings)


def test_for_a_term_on_its_logits_the_teacher_reads_to_the_end():
    layer, logits = named({"teacher_layer": 8})["teacher states"], named({"teacher_layer": 8, "output_loss": "kl"})
    assert logits["teacher states"].flops == 5 * layer.flops


def test_the_teacher_reads_the_rows_once_for_all_its_states():
    one = named({"teacher_layer": 1, "student_layer": 1})["teacher states"]
    last = named({"student_layer": 16})["teacher states"]
    several = named({"student_layers": [4, 8, 16]})["teacher states"]  # teacher layers 5, 10 and 20
    assert several.flops == last.flops == 20 * one.flops
    assert several.gpu_memory - last.gpu_memory == 2 * Batch.longest(TEXTS, last.batch).tokens * 5120 * 2
    mixed = named({"student_layer": 15, "interpolate": True})["teacher states"]  # of layers 18 and 19
    assert mixed.gpu_memory - named({"student_layer": 15, "teacher_layer": 19})["teacher states"].gpu_memory == (
        Batch.longest(TEXTS, mixed.batch).tokens * 5120 * 2
    )
    shared = named({"student_layers": [4, 8], "layer_map": {4: 10}})["teacher states"]
    assert shared.gpu_memory - named({"student_layer": 8})["teacher states"].gpu_memory == 0


def test_a_map_that_is_fitted_on_states_has_the_student_read_up_to_the_last_trained_layer():
    given = {"student_layers": [4, 8]}
    prefix, fitted = named(given)["student prefix"], named({**given, "map": "ridge"})["student prefix"]
    assert fitted.flops * 3 == prefix.flops * (3 + 8)


def test_a_schedule_that_trains_every_layer_reads_all_rows_once_for_each_epoch():
    one, every = named({}), named({"schedule": "frontier", "epochs": 3})
    assert every["teacher states"].flops == 3 * one["teacher states"].flops


def test_attribution_of_llama_2_13b_by_hand():
    found = named({"attribution_examples": 32})["attribution"]
    assert found.batch == 8
    # Forward twice, since activations are computed again, and back; logits and their gradient once.
    assert found.flops == 32 * 40 * (6 * 317_194_240 * 512 + 18 * 5120 * 512**2) + 4 * 32 * 101 * 32000 * 5120
    # 8 x 512 tokens: inputs, activations and gradients of 40 layers; of one layer 2 norms in float32, q, k, v, output,
    # log-sums and 3 x 13,824 in half, and the gradients of its MLP.
    layer = 4096 * (8 * 5120 + 8 * 5120 + 160 + 6 * 13824) + 4096 * (3 * 13824 + 2 * 5120) * 2
    states = 3 * 40 * 4096 * 5120 * 2
    inverses = 20 * (5120**2 + 4096**2) + 4 * 5120 * 4096
    assert found.gpu_memory == 26_031_728_640 + inverses + states + layer


def test_other_ways_to_attribute_take_more_passes():
    """Forward and backward for each layer and each of the places on its path; forward without each layer or head."""
    usual = named({})["attribution"].flops
    assert named({"attribution_method": "integrated_gradients"})["attribution"].flops == 40 * NODES * usual
    forward = 32 * 40 * (2 * 317_194_240 * 512 + 4 * 5120 * 512**2)
    assert named({"attribution_method": "ablation"})["attribution"].flops == 41 * forward
    heads = {"attribution_method": "ablation", "attribution_interface": "heads"}
    assert named(heads)["attribution"].flops == (1 + 40 * 40) * forward


def test_heads_are_planned_for_models_with_equal_numbers_of_them_only():
    with pytest.raises(ValueError, match="these models have 32 and 40 of them"):
        named({"interface": "heads"})
    assert "training" in named({"interface": "heads"}, Setup(MACHINES["a100"], SMALLER, SMALLER))


def test_fewer_rows_and_the_teachers_answers_are_planned():
    assert named({"train_size": 16})["teacher states"].flops * 4 == named({})["teacher states"].flops
    assert "generation" in named({"responses": "teacher"}) and "generation" not in named({})


def test_a_batch_that_does_not_fit_is_halved():
    small = Setup(MACHINES["a100"]._replace(memory=34 * 10**9), LARGER, SMALLER)
    assert named({}, small)["attribution"].batch < 8


def test_training_starts_at_the_first_trained_layer():
    whole, last = named({})["training"], named({"student_layer": 32})["training"]
    weights = memory.weights(SMALLER, 2) - memory.weights(SMALLER, 2, 1)
    batch = Batch.longest(TEXTS, 64)
    assert whole.gpu_memory - last.gpu_memory == weights + 31 * memory.held(SMALLER, batch, 2)
    passes = flops.layers_forward(SMALLER, TEXTS, 31) + flops.layers_backward(SMALLER, TEXTS, 31)
    assert whole.flops - last.flops == 5 * passes


def test_choices_that_save_memory_do():
    usual = named({})["training"]
    for options in (Options(micro_batch_size=4), Options(activation_checkpointing=True)):
        assert named({}, Setup(SETUP.machine, LARGER, SMALLER, options))["training"].gpu_memory < usual.gpu_memory / 2


def test_cross_entropy_computes_logits_and_the_cosine_does_not():
    few = {"student_layer": 32, "micro_batch_size": 1}
    cosine, entropy = named(few)["training"], named({**few, "output_loss": "cross_entropy"})["training"]
    assert entropy.gpu_memory > cosine.gpu_memory
    assert entropy.flops - cosine.flops == 5 * 6464 * (4 * 32000 * 4096 - 6 * 4096**2)
