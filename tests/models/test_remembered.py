"""The identity of a model by name: that of its weights, known without them as long as the files stay as they are."""

import os

import pytest
from helpers.saved_models import first_bytes_changed, save

from semalign.files import kept_json
from semalign.models import remembered as module
from semalign.models.identity import model_identity
from semalign.models.loading import load_model
from semalign.models.remembered import facts_of, file_stamp, remembered
from semalign.paths import cache_dir


@pytest.fixture
def path(teacher, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "RECENT", 0)
    return save(teacher, tmp_path / "large")


def load(name):
    return lambda: load_model(name)


def never():
    pytest.fail("the weights were read")


def test_it_is_the_identity_of_the_loaded_model_and_needs_no_weights_again(path):
    first = remembered(path, load(path))
    assert first.identity == model_identity(load_model(path)) and first.types == ["float32"]
    assert remembered(path, never) == first


def test_weights_that_are_rewritten_in_place_have_another_identity(path, tmp_path):
    first = remembered(path, load(path))
    times = os.stat(tmp_path / "large" / "model.safetensors")
    first_bytes_changed(tmp_path / "large" / "model.safetensors")
    os.utime(tmp_path / "large" / "model.safetensors", ns=(times.st_atime_ns, times.st_mtime_ns))  # ctime stays new
    again = remembered(path, load(path))
    assert again.identity == model_identity(load_model(path)) != first.identity


PARTS = ["tokenizer.json", "config.json", "generation_config.json", "tokenizer.model", "vocab.json", "tekken.json"]


@pytest.mark.parametrize("file", [*PARTS, "chat_template.jinja", "special_tokens_map.json", "adapter_config.json"])
def test_every_file_of_the_model_counts(path, tmp_path, file):
    before = file_stamp(path)
    with open(tmp_path / "large" / file, "a") as other:
        other.write("\n")
    assert file_stamp(path) != before


@pytest.mark.parametrize("file", ["README.md", "train.log", "optimizer.pt", "flax_model.msgpack", ".gitattributes"])
def test_other_files_may_come_and_go(path, tmp_path, file):
    before = file_stamp(path)
    (tmp_path / "large" / file).touch()
    assert file_stamp(path) == before


def test_a_file_that_is_removed_while_it_is_looked_at_is_a_change_and_no_error(path, tmp_path):
    before = file_stamp(path)
    (tmp_path / "large" / "vocab.txt").symlink_to(tmp_path / "removed")  # listed, and cannot be asked for its size
    assert file_stamp(path) == before
    (tmp_path / "large" / "tokenizer.json").unlink()
    assert file_stamp(path) not in (before, None)


def test_another_version_of_a_library_or_another_type_is_asked_anew(path, monkeypatch):
    before = file_stamp(path)
    monkeypatch.setenv("SEMALIGN_DTYPE", "bfloat16")
    typed = file_stamp(path)
    monkeypatch.setattr(module, "package_version", lambda name: "9.9")
    assert len({str(before), str(typed), str(file_stamp(path))}) == 3


def test_files_that_have_just_changed_are_not_remembered(teacher, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "RECENT", 3600)
    path = save(teacher, tmp_path / "large")
    remembered(path, load(path))
    assert not (cache_dir() / "identities").exists()


def test_files_that_change_while_they_are_read_are_an_error(path, tmp_path):
    def changing():
        model = load_model(path)
        first_bytes_changed(tmp_path / "large" / "model.safetensors")
        return model

    with pytest.raises(ValueError, match="changed while they were read"):
        remembered(path, changing)


def test_a_cache_that_cannot_be_written_or_is_damaged_is_no_error(path, monkeypatch, tmp_path):
    first = remembered(path, load(path))
    (kept,) = (cache_dir() / "identities").iterdir()
    kept.write_text('{"checksum": "x", "content": ["wrong", []]}')
    assert remembered(path, load(path)) == first and kept_json(kept) == list(first)
    (tmp_path / "file").touch()
    monkeypatch.setenv("SEMALIGN_CACHE", str(tmp_path / "file" / "below"))
    assert remembered(path, load(path)) == first


def test_the_facts_of_a_model_in_memory(teacher):
    assert facts_of(teacher) == (model_identity(teacher), ["float64"])
