"""Models that a stand-in for the hub gives: whole, in one form of the weights, before the first layers are read."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from helpers.saved_models import save

from semalign.models import downloads, pretrained
from semalign.models.architecture import Architecture
from semalign.models.downloads import download
from semalign.models.loading import load_model

MODEL = "me/large"


@pytest.fixture
def hub(teacher, tmp_path, monkeypatch):
    """A hub with one model in shards, and a cache that holds its configuration and tokenizer alone."""
    files, cache = Path(save(teacher, tmp_path / "large", "4KB")), tmp_path / "cache"
    shutil.copytree(files, cache, ignore=shutil.ignore_patterns("*.safetensors*"))
    asked = []

    def snapshot(name, allow_patterns):
        asked.append((name, allow_patterns))
        shutil.copytree(files, cache, dirs_exist_ok=True)
        return str(cache)

    monkeypatch.setattr(downloads, "snapshot_download", snapshot)
    names = [*(file.name for file in files.iterdir()), "pytorch_model.bin"]
    info = SimpleNamespace(siblings=[SimpleNamespace(rfilename=name) for name in names])
    monkeypatch.setattr("huggingface_hub.HfApi", lambda: SimpleNamespace(model_info=lambda name, timeout: info))
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda name, file: str(cache / file))
    for kind in (pretrained.AutoConfig, pretrained.AutoTokenizer):
        monkeypatch.setattr(pretrained, kind.__name__, SimpleNamespace(from_pretrained=_from(cache, kind)))
    return asked


def _from(cache, kind):
    return lambda source, **options: kind.from_pretrained(cache if source == MODEL else source, **options)


def test_one_form_of_the_weights_is_downloaded(hub, tmp_path):
    assert download(MODEL) == tmp_path / "cache"
    ((name, patterns),) = hub
    weights = [pattern for pattern in patterns if "safetensors" in pattern or "bin" in pattern]
    assert name == MODEL and len(weights) > 1 and all(file.startswith("model") for file in weights)


@pytest.mark.parametrize(
    ("files", "taken"),
    [
        (["model.safetensors", "consolidated.safetensors", "onnx/model.safetensors"], ["model.safetensors"]),
        (["weights.safetensors", "pytorch_model.bin"], ["weights.safetensors"]),
        (
            ["pytorch_model-1.bin", "pytorch_model-2.bin", "training_args.bin"],
            ["pytorch_model-1.bin", "pytorch_model-2.bin"],
        ),
    ],
)
def test_a_second_copy_of_the_weights_is_left_on_the_hub(monkeypatch, tmp_path, files, taken):
    info, asked = SimpleNamespace(siblings=[SimpleNamespace(rfilename=name) for name in files]), []
    monkeypatch.setattr("huggingface_hub.HfApi", lambda: SimpleNamespace(model_info=lambda name, timeout: info))
    monkeypatch.setattr(
        downloads, "snapshot_download", lambda name, allow_patterns: asked.extend(allow_patterns) or tmp_path
    )
    download(MODEL)
    assert asked[len(downloads.SMALL_FILES) :] == taken


def test_the_first_layers_do_not_depend_on_what_the_cache_holds(hub, tmp_path):
    first, again, whole = load_model(MODEL, layers=2), load_model(MODEL, layers=2), load_model(tmp_path / "large")
    assert [Architecture(model.model).n_layers for model in (first, again)] == [2, 2] and len(hub) == 1
    for name, number in first.model.state_dict().items():
        assert torch.equal(number, whole.model.state_dict()[name])


def test_a_hub_that_does_not_answer_is_told_in_one_line(hub, monkeypatch):
    def refuse():
        raise OSError("no network")

    monkeypatch.setattr("huggingface_hub.HfApi", refuse)
    with pytest.raises(ConnectionError, match=r"^the Hugging Face hub does not give the model me/large: .* reached"):
        download(MODEL)
    with pytest.raises(FileNotFoundError, match=r"^no model 'me/large' on this machine, .*`semalign fetch me/large`"):
        load_model(MODEL, layers=2)
