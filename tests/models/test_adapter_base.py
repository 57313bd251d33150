"""Which model an adapter belongs to: a student that was changed in memory is not what its name stands for."""

import json
import logging
from pathlib import Path

import pytest
import torch
from helpers.models import make_llama, randomise
from helpers.saved_models import save
from peft import PeftModel

from semalign.models.adapter_base import changed_in_memory, files_of, unnamed, without_adapter
from semalign.models.adapters import put_adapter
from semalign.models.identity import model_identity
from semalign.models.loading import LanguageModel, load_model
from semalign.models.remembered import facts_of
from semalign.models.saving import save_model
from semalign.models.source import FiledModel
from semalign.results.records import make_record
from semalign.settings import TrainingSettings
from semalign.training.lora import add_lora


@pytest.fixture
def folder(tokenizer, tmp_path):
    """The folder of a small model in float32."""
    return save(LanguageModel(make_llama(len(tokenizer), 12, 3, seed=0), tokenizer), tmp_path / "base")


@pytest.fixture(autouse=True)
def of_old_files(caplog, monkeypatch):
    """Files that a test has just written count as old enough to be remembered."""
    monkeypatch.setattr("semalign.models.remembered.RECENT", 0)
    caplog.set_level(logging.WARNING, logger="semalign")


def warned(caplog):
    return [record.getMessage() for record in caplog.records if record.name.startswith("semalign")]


def with_lora(model):
    adapted = add_lora(model.model, [2], TrainingSettings(rank=2))
    randomise(adapted)
    return model._replace(model=adapted.float().eval())


def in_float64(model):
    return model._replace(model=model.model.double())


def with_other_tokens(model):
    model.model.config.pad_token_id = model.model.generation_config.eos_token_id = 5
    model.tokenizer.pad_token = "a"
    return model


@torch.no_grad()
def with_one_other_number(model):
    model.model.model.layers[1].mlp.up_proj.weight[0, 0] += 0.01
    return model


def with_another_rope(model):
    model.model.config.rope_parameters["rope_theta"] = 20.0
    return model


def with_more_tokens(model):
    model.model.resize_token_embeddings(len(model.tokenizer) + 3)
    return model


def named(name):
    def change(model):
        model.model.config.name_or_path = model.model.name_or_path = name
        return with_one_other_number(model)

    return change


SAME = {
    "as loaded": lambda model: model,
    "in another type": in_float64,
    "other tokens begin and end": with_other_tokens,
    "with an adapter": with_lora,
    "without a name": named(""),
    "named after a model that is elsewhere": named("somebody/base"),
}
CHANGED = {
    "one number": with_one_other_number,
    "settings": with_another_rope,
    "more tokens": with_more_tokens,
    "below an adapter": lambda model: with_lora(with_one_other_number(model)),
}


@pytest.mark.parametrize("remembered", [False, True])
@pytest.mark.parametrize("case", SAME)
def test_a_model_is_what_it_names_or_this_cannot_be_told(folder, caplog, case, remembered):
    model = SAME[case](load_model(folder))
    if remembered:
        _ = FiledModel(folder).facts
    assert not changed_in_memory(model, model_identity(model)) and not warned(caplog)


@pytest.mark.parametrize("remembered", [False, True])
@pytest.mark.parametrize("case", CHANGED)
def test_a_model_that_was_changed_in_memory_is_told_in_one_line(folder, caplog, case, remembered):
    model = CHANGED[case](load_model(folder))
    if remembered:
        _ = FiledModel(folder).facts
    assert changed_in_memory(model, model_identity(model))
    (message,) = warned(caplog)
    assert f"not the model in {folder}" in message and "save the student too" in message
    assert "\n" not in message


def test_files_that_cannot_be_loaded_tell_nothing(folder, caplog):
    model = with_one_other_number(load_model(folder))
    (Path(folder) / "config.json").write_text('{"architectures": ["OwnForCausalLM"], "model_type": "own"}')
    assert not changed_in_memory(model, model_identity(model)) and not warned(caplog)


def test_what_is_remembered_of_the_files_saves_reading_them(folder, monkeypatch):
    model = load_model(folder)
    identity = FiledModel(folder).facts.identity
    monkeypatch.setattr("semalign.models.adapter_base.load_network", lambda *_: pytest.fail("the files are read"))
    assert not changed_in_memory(model, identity)


def test_a_model_without_its_adapter_is_the_base(folder):
    model = load_model(folder)
    identity, adapted = model_identity(model), with_lora(model)
    base = without_adapter(adapted.model)
    assert model_identity(model._replace(model=base)) == identity != model_identity(adapted)
    assert without_adapter(base) is base and isinstance(adapted.model, PeftModel)
    weight = "model.layers.0.mlp.up_proj.weight"
    assert base.get_parameter(weight).data_ptr() == model.model.get_parameter(weight).data_ptr()


@pytest.mark.parametrize("name", ["", "no-such-model", "somebody/base", "."])
def test_a_name_without_files_has_no_folder(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert files_of(name) is None


def saved_name(model, folder):
    save_model(model, folder)
    return json.loads((folder / "adapter_config.json").read_text())["base_model_name_or_path"]


def test_a_name_is_away_while_an_adapter_is_saved_and_back_after_an_error(folder, tmp_path):
    student = load_model(folder)
    model = with_lora(student)
    with unnamed(model):
        assert saved_name(model, tmp_path / "without") is None
        assert model.model.get_base_model().config.name_or_path == "" and student.name == "base"
    assert saved_name(model, tmp_path / "with") == folder
    with pytest.raises(KeyError), unnamed(model):
        raise KeyError
    assert saved_name(model, tmp_path / "again") == folder and model.model.config.name_or_path == folder
    with unnamed(student):
        assert student.model.config.name_or_path == ""
    assert student.name == "base"


def with_record(model, base, folder):
    """Save an adapter with a record that names the base that it was trained on."""
    known = {"method": "sft", "teacher": None, "student": "s", "task": "t", "metric": "training_loss", "value": 1.0}
    details = {"base": facts_of(base)._asdict()}
    record = make_record(**known, seed=0, n=1, configuration={}, fingerprints={}, seconds=1.0, details=details)
    save_model(model, folder, record)
    return folder


def test_a_record_tells_the_base_from_a_model_of_the_same_name(folder, tmp_path, caplog):
    changed = with_one_other_number(load_model(folder))
    adapter = with_record(with_lora(changed), changed, tmp_path / "adapter")
    put_adapter(load_model(folder), adapter)
    (message,) = warned(caplog)
    assert f"{folder} is not the model that the adapter in {adapter} was trained on" in message
    caplog.clear()
    put_adapter(with_one_other_number(load_model(folder)), adapter)
    assert not warned(caplog)


@pytest.mark.parametrize("remembered", [False, True])
def test_the_base_of_a_record_may_be_in_another_folder(folder, tmp_path, tokenizer, caplog, remembered):
    base = load_model(folder)
    adapter = with_record(with_lora(base), base, tmp_path / "adapter")
    save(LanguageModel(make_llama(len(tokenizer), 12, 3, seed=1), tokenizer), folder)  # the name stands for another now
    copy = save(load_model(folder)._replace(model=base.model), tmp_path / "copy")
    if remembered:
        _ = FiledModel(copy).facts
    put_adapter(load_model(copy), adapter)
    assert not warned(caplog)
    put_adapter(load_model(folder), adapter)
    assert len(warned(caplog)) == 1


@pytest.mark.parametrize("content", [None, "{", "{}"])
def test_a_record_that_says_nothing_of_the_base_is_passed_over(folder, tmp_path, caplog, content):
    base = load_model(folder)
    adapter = with_record(with_lora(base), base, tmp_path / "adapter")
    (adapter / "record.json").unlink() if content is None else (adapter / "record.json").write_text(content)
    put_adapter(with_one_other_number(load_model(folder)), adapter)
    assert not warned(caplog)


def test_a_base_in_another_type_is_no_other_base(folder, tmp_path, caplog):
    base = load_model(folder)
    adapter = with_record(with_lora(base), base, tmp_path / "adapter")
    put_adapter(load_model(folder, dtype="bfloat16"), adapter)
    assert not warned(caplog)
