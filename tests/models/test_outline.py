"""The outline of a model answers as the loaded model does, without its numbers."""

import pytest
from helpers.gguf_files import tiny_llama, write_gguf
from helpers.saved_models import save

from semalign.models.architecture import Architecture
from semalign.models.identity import computed_by
from semalign.models.loading import load_model
from semalign.models.outline import outline_of
from semalign.models.precision import types_of


def answers(model):
    architecture = Architecture(model.model)
    return (
        model.name, model.context_length, architecture.n_layers, architecture.width, architecture.softcap,
        architecture.head_weight.shape, architecture.head_weight.dtype, model.model.config.name_or_path,
        computed_by(model.model), types_of(model.model.parameters()), type(model.model),
        model.encode([{"prompt": "what is", "response": " 12"}]),
        {name: (tensor.shape, tensor.dtype) for name, tensor in model.model.state_dict().items()},
    )  # fmt: skip


def test_a_folder(teacher, tmp_path):
    path = save(teacher, tmp_path / "large")
    outline = outline_of(path)
    assert answers(outline) == answers(load_model(path))
    assert {parameter.device.type for parameter in outline.model.parameters()} == {"meta"}


@pytest.mark.parametrize("named", [True, False])
def test_the_type_of_the_checkpoint_where_no_other_is_asked_for(teacher, tmp_path, monkeypatch, named):
    path = save(teacher, tmp_path / "large")
    teacher.model.half().save_pretrained(path)
    if not named:
        config = tmp_path / "large" / "config.json"
        config.write_text("\n".join(line for line in config.read_text().splitlines() if "dtype" not in line))
    monkeypatch.setenv("SEMALIGN_DTYPE", "auto")
    assert types_of(outline_of(path).model.parameters()) == ["float16"]


def test_a_model_that_is_not_there_is_an_error():
    with pytest.raises(FileNotFoundError, match="no model 'absent'"):
        outline_of("absent")


def test_a_gguf_file(tmp_path):
    path = write_gguf(tmp_path / "tiny.gguf", tiny_llama())
    outline, model = outline_of(path), load_model(path)
    ours, theirs = answers(outline), answers(model)
    assert ours == theirs
