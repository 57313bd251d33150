"""Parts of a batch and activation checkpointing as the settings say, in whole runs."""

import pytest
import torch
from helpers.models import randomise

from semalign.data.rows import encode
from semalign.models.architecture import Architecture
from semalign.settings import TrainingSettings
from semalign.training.finetuning import FineTuning
from semalign.training.lora import add_lora
from semalign.training.step_memory import activations_as_set, fitting_parts


def fine_tune(student, examples, **changes):
    """Return losses, weights and the most bytes that the graph of a part has kept."""
    settings = TrainingSettings(epochs=2, batch_size=6, rank=2, lora_dropout=0.3, **changes)
    adapted = add_lora(student.model, [1, 2, 3], settings)
    randomise(adapted)
    training, kept = FineTuning(Architecture(adapted), examples, settings), [0]
    own = {p.data_ptr() for p in adapted.parameters()}

    def pack(tensor):
        kept[-1] += 0 if tensor.data_ptr() in own else tensor.numel() * tensor.element_size()
        return tensor

    def backward(loss):
        kept.append(0)
        original(loss)

    original = training.scale.backward
    training.scale.backward = backward
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        losses = training.run()
    return losses, [p.detach().clone() for p in training.parameters.values()], kept[0]


def test_activation_checkpointing_changes_no_result_and_keeps_less(student, rows):
    examples = encode(rows, student.tokenizer, 64)
    (plain, weights, much), (ours, same, less) = (
        fine_tune(student, examples, activation_checkpointing=on) for on in (False, True)
    )
    assert ours == plain and all(map(torch.equal, same, weights))
    assert less < 0.6 * much


def test_layers_are_as_they_were_after_the_block(student):
    architecture = Architecture(student.model)
    with pytest.raises(KeyError), activations_as_set(architecture, TrainingSettings(activation_checkpointing=True), 2):
        assert ["forward" in vars(layer) for layer in architecture.layers] == [False, True, True, True]
        raise KeyError
    with activations_as_set(architecture, TrainingSettings(), 1):
        assert not any("forward" in vars(layer) for layer in architecture.layers)


def test_parts_are_as_the_settings_say(student):
    architecture = Architecture(student.model)
    sizes = [fitting_parts(architecture, TrainingSettings(**chosen), 2) for chosen in
             ({}, {"micro_batch_size": 4}, {"activation_checkpointing": True})]  # fmt: skip
    assert [each.size for each in sizes] == [64, 4, 64]
    assert sizes[2].bytes_of(4, 10) < sizes[0].bytes_of(4, 10) == sizes[1].bytes_of(4, 10)
