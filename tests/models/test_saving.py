"""Adapters and plain models on disk: other files stay, and nothing half-written looks like a model."""

import os

import pytest
import torch
from helpers.models import randomise
from peft import PeftModel

from semalign.models import saving
from semalign.models.loading import LanguageModel, load_model
from semalign.models.saving import save_model
from semalign.settings import TrainingSettings
from semalign.training.lora import add_lora


@torch.no_grad()
def logits(model):
    return model(torch.tensor([[5, 6, 7]])).logits


@pytest.fixture
def adapted(student):
    model = add_lora(student.model, [2], TrainingSettings(rank=2))
    randomise(model)
    return LanguageModel(model.eval(), student.tokenizer)


def test_an_adapter_is_saved_without_its_base(adapted, student, tmp_path):
    (tmp_path / "record.json").write_text("{}")
    save_model(adapted, tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert names >= {"record.json", "adapter_config.json", "adapter_model.safetensors"}
    assert not names & {"model.safetensors", "tokenizer.json"} and not any(name.startswith(".") for name in names)
    loaded = PeftModel.from_pretrained(student.model, tmp_path).eval()
    torch.testing.assert_close(logits(loaded), logits(adapted.model), rtol=1e-6, atol=1e-6)


def test_a_plain_model_is_saved_with_its_tokenizer_and_replaces_the_last(student, tmp_path):
    for change in (0.0, 1.0):
        with torch.no_grad():
            student.model.lm_head.weight += change
        save_model(student, tmp_path / "new" / "folder")
    loaded = load_model(tmp_path / "new" / "folder", dtype=torch.float64)
    assert torch.equal(logits(loaded.model), logits(student.model))
    assert loaded.tokenizer.get_vocab() == student.tokenizer.get_vocab()


def test_the_configuration_comes_last(adapted, student, tmp_path, monkeypatch):
    for number, (model, configuration) in enumerate(((adapted, "adapter_config.json"), (student, "config.json"))):
        moved, replace = [], os.replace
        monkeypatch.setattr(saving.os, "replace", lambda a, b, m=moved, r=replace: m.append(b.name) or r(a, b))
        save_model(model, tmp_path / str(number))
        assert moved[-1] == configuration and len(moved) > 1


def test_a_stopped_save_leaves_no_model(student, tmp_path, monkeypatch):
    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(saving.os, "replace", stopped)
    with pytest.raises(KeyboardInterrupt):
        save_model(student, tmp_path)
    assert list(tmp_path.iterdir()) == []
