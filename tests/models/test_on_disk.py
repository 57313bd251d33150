"""Models found on this machine, and what is said of those that are not."""

import pytest

from semalign.models import on_disk
from semalign.models.on_disk import folder_of
from semalign.paths import models_dir


def test_a_folder_is_itself_and_a_bundled_model_has_its_folder(tmp_path):
    (tmp_path / "config.json").touch()
    assert folder_of(tmp_path) == tmp_path
    assert folder_of("micro-student") == models_dir() / "micro-student"


def test_a_model_of_the_hub_is_in_its_cache_or_the_way_to_get_it_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(on_disk, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=rf"the hub's cache, {tmp_path}: run `hf download me/model` where"):
        folder_of("me/model")
    here = tmp_path / "models--me--model"
    (here / "snapshots" / "abc").mkdir(parents=True)
    (here / "refs").mkdir()
    (here / "refs" / "main").write_text("abc")
    assert folder_of("me/model") == here / "snapshots" / "abc"
