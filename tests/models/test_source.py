"""A model in memory or on disk: how much of it is loaded, and when it goes."""

import json
import shutil

import pytest
import torch
from helpers.saved_models import Watch, first_bytes_changed, save

from semalign.methods.runner import run_method
from semalign.models import remembered
from semalign.models.architecture import Architecture
from semalign.models.identity import model_identity
from semalign.models.loading import load_model
from semalign.models.source import FiledModel, GivenModel, source_of


@pytest.fixture
def path(teacher, tmp_path, monkeypatch):
    monkeypatch.setattr(remembered, "RECENT", 0)
    return save(teacher, tmp_path / "large")


def test_the_identity_is_that_of_the_weights_which_are_read_once(path, monkeypatch):
    watch = Watch(monkeypatch)
    assert FiledModel(path).facts.identity == model_identity(load_model(path))
    assert FiledModel(path).facts.types == ["float32"]
    assert watch.loads == [("large", None)]


def test_weights_are_given_back_after_the_identity_and_by_release(path, monkeypatch):
    watch, source = Watch(monkeypatch), FiledModel(path)
    assert source.facts.identity
    model = source.load().model
    assert watch.together[-1] == {"large"} and source.load().model is model
    del model
    source.release()
    assert not watch.alive() and watch.loads == [("large", None)] * 2


def test_what_is_in_memory_is_taken_if_it_is_enough(path, monkeypatch):
    watch, source = Watch(monkeypatch), FiledModel(path)
    for layers, held in ((2, 2), (1, 2), (2, 2), (4, 4), (None, 5), (3, 5), (9, 5)):
        assert Architecture(source.load(layers).model).n_layers == held
        assert source.in_memory is (source.load(1) if held == 5 else None)
    assert watch.loads == [("large", 2), ("large", 4), ("large", None)]
    assert len(watch.alive()) == 1


def test_the_head_needs_no_layers_once_it_is_kept(path, monkeypatch):
    identity = FiledModel(path).facts.identity  # keeps it
    watch, source = Watch(monkeypatch), FiledModel(path)
    head = source.head()
    assert not watch.loads
    assert torch.equal(head.model.lm_head.weight, load_model(path).model.lm_head.weight)
    next((remembered.cache_dir() / "heads").iterdir()).unlink()
    again = source.head()
    assert watch.loads == [("large", 1)] and not watch.alive()
    assert torch.equal(again.model.lm_head.weight, head.model.lm_head.weight)
    assert source.facts.identity == identity and FiledModel(path).head() and len(watch.loads) == 1


def test_a_kept_head_that_is_damaged_is_made_anew_once(path, monkeypatch):
    source = FiledModel(path)
    assert source.facts
    kept = next((remembered.cache_dir() / "heads").iterdir())
    kept.write_bytes(kept.read_bytes()[:-10])
    watch = Watch(monkeypatch)
    source.head()
    source.head()
    assert watch.loads == [("large", 1)]


def test_weights_that_arrive_after_the_configuration_are_no_change(path, tmp_path, monkeypatch):
    partial = tmp_path / "partial"  # as the hub's cache is before the weights are downloaded
    shutil.copytree(path, partial)
    (partial / "model.safetensors").unlink()
    assert remembered.file_stamp(partial) is None
    source, load = FiledModel(partial), FiledModel.load

    def downloading(self, layers=None):
        if not (partial / "model.safetensors").exists():
            shutil.copy(tmp_path / "large" / "model.safetensors", partial)
        return load(self, layers)

    monkeypatch.setattr(FiledModel, "load", downloading)
    identity = source.facts.identity
    monkeypatch.setattr(FiledModel, "load", load)
    assert source.load() and identity == FiledModel(path).facts.identity


def test_files_that_change_during_a_run_are_an_error(path, tmp_path):
    source = FiledModel(path)
    assert source.facts
    first_bytes_changed(tmp_path / "large" / "model.safetensors")
    for _ in range(2):  # what was refused is not kept
        with pytest.raises(ValueError, match="have changed since this run began"):
            source.load()


def test_a_model_in_memory_stays_there(teacher):
    source = source_of(teacher)
    assert isinstance(source, GivenModel) and source.facts == (model_identity(teacher), ["float64"])
    source.release()
    assert source.load(1) is source.head() is source.outline is source.in_memory is source.load() is teacher
    assert source_of(source) is source


def test_what_is_no_model_is_an_error(teacher):
    with pytest.raises(FileNotFoundError, match="no model 'absent'"):
        source_of("absent")
    with pytest.raises(ValueError, match="comes without its tokenizer"):
        source_of(teacher.model)


def test_nan_in_a_model_in_memory_is_found(teacher, path):
    FiledModel(path).check()
    with torch.no_grad():
        teacher.model.lm_head.weight[0, 0] = torch.nan
    with pytest.raises(ValueError, match="lm_head"):
        GivenModel(teacher).check()


@pytest.mark.parametrize("method", ["laten", "seeking"])
def test_a_quantised_model_is_refused_from_its_configuration_where_weights_are_compared(
    path, tmp_path, student, rows, monkeypatch, method
):
    file = tmp_path / "large" / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "quantization_config": {"quant_method": "awq"}}))
    watch = Watch(monkeypatch)
    settings = {"extract_size": 1} if method == "laten" else {}
    with pytest.raises(ValueError, match="large is quantised, and this method computes with weights: take the orig"):
        run_method(method, path, student, 2 * rows, **settings)
    assert not watch.loads
