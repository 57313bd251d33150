"""Parts of a batch and activation checkpointing as the settings say, in whole runs."""

import math

import pytest
import torch
from helpers.models import randomise

from semalign.data.rows import encode
from semalign.models.architecture import Architecture
from semalign.settings import TrainingSettings, TransferSettings
from semalign.training import step_memory
from semalign.training.finetuning import FineTuning
from semalign.training.lora import add_lora
from semalign.training.step_memory import activations_as_set, fitting_parts, padding_allowed


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


def test_a_batch_is_cut_where_padding_costs_more_than_a_part(student):
    architecture = Architecture(student.model)
    layer = sum(p.numel() for p in architecture.layer(1).parameters())
    allowed = padding_allowed(architecture, TransferSettings())
    assert allowed == 64 + 1e7 / layer == fitting_parts(architecture, TransferSettings(), 1).padding
    # Masks of dropout are drawn part by part, and centring needs a second pass.
    assert padding_allowed(architecture, TransferSettings(lora_dropout=0.1)) == math.inf
    assert padding_allowed(architecture, TransferSettings(centre_targets=True)) == math.inf


def test_cutting_by_length_changes_no_result(student, rows, monkeypatch):
    uneven = [{**row, "prompt": row["prompt"] * (1 + i % 3)} for i, row in enumerate(rows)]
    examples, results = encode(uneven, student.tokenizer, 64), []
    settings = TrainingSettings(epochs=2, batch_size=6, rank=2)
    for small in (1e7, 0.0):
        monkeypatch.setattr(step_memory, "PART_COST", small)
        monkeypatch.setattr(step_memory, "SMALL_PRODUCTS", small)
        adapted = add_lora(student.model, [1, 2, 3], settings)
        randomise(adapted)
        training = FineTuning(Architecture(adapted), examples, settings)
        lengths = [len(example) for example in examples[:6]]
        results.append((len(training.parts.by_length(range(6), lengths)), training.run()))
    (one, whole), (several, cut) = results
    assert one == 1 and several > 1
    assert [each["cross_entropy"] for each in cut] == pytest.approx([each["cross_entropy"] for each in whole], rel=1e-9)
