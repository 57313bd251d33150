"""Supervised fine-tuning: LoRA on all layers, by labels alone."""

import pytest
import torch
from helpers.models import make_llama

from semalign.data.rows import batches, encode
from semalign.methods.declared.sft import SftSettings
from semalign.methods.runner import run_method
from semalign.models.loading import LanguageModel

FAST = {"rank": 2, "batch_size": 12}


def test_its_defaults_are_those_of_the_papers_setting():
    assert (SftSettings().epochs, SftSettings().rank, SftSettings().learning_rate) == (3, 16, 3e-4)


def test_the_four_matrices_of_every_layer_are_trained(teacher, student, rows):
    before = {name: value.clone() for name, value in student.model.state_dict().items()}
    result = run_method("sft", teacher, student, rows, **FAST, epochs=1)
    trained = [name for name, p in result.model.model.named_parameters() if p.requires_grad]
    layers = {name.split("layers.")[1].split(".lora")[0] for name in trained}
    four = ("mlp.up_proj", "mlp.down_proj", "self_attn.v_proj", "self_attn.o_proj")
    assert layers == {f"{i}.{path}" for i in range(4) for path in four}
    assert result.record["details"]["adapter_parameters"] == 4 * 2 * 2 * ((12 + 24) + (12 + 12))
    assert all(torch.equal(value, before[name]) for name, value in student.model.state_dict().items())


def test_the_loss_is_the_cross_entropy_of_the_responses(teacher, student, rows):
    record = run_method("sft", teacher, student, rows, **FAST, epochs=2, learning_rate=1e-2).record
    whole = next(batches(encode(rows, student.tokenizer, 64), len(rows)))
    with torch.no_grad():
        expected = student.model(**whole).loss.item()
    first, second = (sum(losses.values()) for losses in record["losses"])
    assert first == pytest.approx(expected, rel=1e-6) and second < first
    assert record["metric"] == "training_loss" and record["value"] == pytest.approx(second)


def test_the_teacher_is_in_the_record_and_nowhere_else(teacher, student, rows, tokenizer):
    other = LanguageModel(make_llama(len(tokenizer), 8, 2, seed=9), tokenizer)
    one, two = (run_method("sft", each, student, rows, **FAST, epochs=1).record for each in (teacher, other))
    assert one["losses"] == two["losses"]
    assert one["fingerprints"]["teacher"] != two["fingerprints"]["teacher"]
