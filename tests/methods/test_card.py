"""The model card of a result: what it says, and that what it says to run runs."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from helpers.saved_models import save
from pydantic import Field

from semalign import run_method
from semalign.methods.card import _differing, licence_of, model_card
from semalign.methods.registry import Method, method, methods
from semalign.models.students import drop_layers
from semalign.settings import MethodSettings, TrainingSettings
from semalign.training.adaptation import Adapted
from semalign.training.lora import add_lora

RECORD = {
    "method": "semalign",
    "teacher": "large",
    "student": "small",
    "task": "sums",
    "seed": 3,
    "configuration": {**method("semalign").settings(rank=4, map="ridge").model_dump(mode="json"), "seed": 3},
    "losses": [{"layer": 0.5, "output": 0.25}, {"layer": 0.125, "output": 0.0625}],
    "details": {
        "teacher_layers": [[4, 1.0]],
        "student_layer": 2,
        "before": {"response_nll": 2.5},
        "after": {"response_nll": 1.5},
        "held_out": {"n": 7},
    },
}


def adapter_on(name, student, **options):
    student.model.config.name_or_path = name
    return student._replace(model=add_lora(student.model, [2], TrainingSettings(rank=2)))


def test_a_card_says_how_the_adapter_was_made_and_what_was_measured(student):
    card = model_card(adapter_on("me/small", student), method("semalign"), RECORD, 12)
    head = yaml.safe_load(card.split("---")[1])
    assert "semalign evaluate me/small --adapter path/to/this/folder --task TASK" in card
    assert head == {
        "base_model": "me/small",
        "library_name": "peft",
        "pipeline_tag": "text-generation",
        "tags": ["base_model:adapter", "lora", "semalign"],
    }
    assert "Base model to keep" not in card
    for line in (
        "- **Base model**: small (`me/small`)",
        "- **Teacher**: large",
        "- **Method**: semalign, seed 3; `rank=4`, `map=ridge`",
        "- **Layers**: teacher 1 x layer 4 -> student layer 2",
        "- **Data**: 12 rows of sums, 2 steps",
        "| layer term of the loss, first and last step | 0.5000 | 0.1250 |",
        "| response_nll on 7 held-out rows | 2.5000 | 1.5000 |",
        'base = AutoModelForCausalLM.from_pretrained("me/small")',
    ):
        assert line in card.splitlines()


def test_a_card_without_held_out_rows_says_so_and_defaults_are_not_listed(student):
    settings = method("semalign").settings().model_dump(mode="json")
    record = {**RECORD, "configuration": settings, "details": {"before": None, "after": None}}
    card = model_card(adapter_on("", student), method("semalign"), record, 12)
    assert "all other settings are the method's defaults" in card and "**Layers**" not in card
    assert "semalign evaluate path/to/the/base/model --adapter path/to/this/folder --task TASK" in card
    assert "No rows were held out" in card and "base_model" not in yaml.safe_load(card.split("---")[1])


def test_a_card_says_which_held_out_rows_were_trained_on(student):
    model = adapter_on("", student)
    known = {**RECORD, "details": {**RECORD["details"], "held_out_seen": {"rows": 2, "prompts": 3}}}
    line = "Of these rows 2 were trained on too, and 3 have a prompt that was."
    assert line in model_card(model, method("semalign"), known, 12).splitlines()
    assert "trained on too" not in model_card(model, method("semalign"), RECORD, 12)


def test_the_licence_of_the_base_is_what_its_files_say(tmp_path):
    assert licence_of("") is None and licence_of(str(tmp_path)) is None
    (tmp_path / "LICENSE").touch()
    assert licence_of(str(tmp_path)) == "see its file LICENSE"
    (tmp_path / "source.json").write_text(json.dumps({"licence": "Gemma terms of use"}))
    assert licence_of(str(tmp_path)) == "Gemma terms of use"
    (tmp_path / "README.md").write_text("---\nlicense: mit\n---\n# Model\nlicense: other\n")
    assert licence_of(str(tmp_path)) == "mit"


class Required(MethodSettings):
    """Settings of a user's own, one without a default."""

    layers: int
    width: int = 3


class Unready(MethodSettings):
    """Settings of a user's own, which have no defaults by themselves."""

    layers: Any = Field(default_factory=object)
    width: int = 3


@pytest.mark.parametrize(
    ("settings", "told"), [(Required, "`layers=2`"), (Unready, "`layers=2`, `width=3`")], ids=["required", "unready"]
)
def test_settings_without_defaults_are_listed(teacher, student, rows, tmp_path, settings, told):
    def adapt(inputs):
        return Adapted(add_lora(inputs.pair.student.model, [1], TrainingSettings(rank=2)), [{"loss": 1.0}])

    mine = Method("mine", "control", "hu2022lora", "My own.", settings, adapt)
    run_method(mine, teacher, student, rows, output_dir=tmp_path, layers=2)
    assert f"- **Method**: mine, seed 0; {told}" in (tmp_path / "README.md").read_text().splitlines()


@pytest.mark.parametrize("name", methods())
def test_defaults_are_those_of_settings_that_are_made(name):
    settings = method(name).settings
    configuration = settings().model_dump(mode="json")
    assert _differing(method(name), configuration) == "all other settings are the method's defaults"
    assert _differing(method(name), {**configuration, "seed": 9, "epochs": 77}).startswith("`epochs=77`")


@pytest.mark.parametrize("base", ["x" * 5000, "caf\udce9/model", "a\0b"], ids=["long", "bytes", "null"])
def test_a_name_that_is_no_path_of_a_file_does_not_lose_the_card(student, base):
    card = model_card(adapter_on(base, student), method("semalign"), RECORD, 12)
    assert "- **Base model to keep**" in card and card.encode()


def test_files_that_cannot_be_read_say_nothing_of_the_licence(tmp_path, monkeypatch):
    """Such as those of another user in a shared folder."""
    (tmp_path / "README.md").write_text("---\nlicense: mit\n---\n")
    (tmp_path / "source.json").write_text(json.dumps({"licence": "other"}))
    (tmp_path / "NOTICE").touch()

    def refuse(self, *_, **__):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "read_text", refuse)
    assert licence_of(str(tmp_path)) == "see its file NOTICE"


@pytest.mark.parametrize("base", ["", "SmolLM2.Q4_1", "/nowhere/small-4-layers", "a b/c", "a--b/c", "one/two/three"])
def test_a_base_that_is_nowhere_is_to_be_loaded_by_the_reader(student, base):
    card = model_card(adapter_on(base, student), method("semalign"), RECORD, 12)
    assert 'load_model("path/to/the/base/model")' in card and "base_model:" not in card.split("---")[1].split("tags")[0]
    assert "- **Base model to keep**: no folder or hub id is known" in card and "Save it with" in card


@pytest.mark.slow
def test_a_student_made_in_memory_is_saved_with_its_card(teacher, rows, tmp_path):
    made = drop_layers(teacher, [2])
    made.model.config.name_or_path = "/nowhere/teacher-4-layers"
    run_method("sft", teacher, made, rows, output_dir=tmp_path / "run", epochs=1, rank=2)
    assert (tmp_path / "run" / "adapter_model.safetensors").is_file() and (tmp_path / "run" / "README.md").is_file()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "fast"), [("sft", {"epochs": 1, "rank": 2}), ("laten", {"extract_size": 2, "steps": 1})]
)
def test_what_a_card_says_to_run_loads_the_result(teacher, student, rows, tmp_path, monkeypatch, name, fast):
    places = save(teacher, tmp_path / "teacher"), save(student, tmp_path / "student")
    result = run_method(name, *places, rows, output_dir=tmp_path / "run", **fast)
    card = (tmp_path / "run" / "README.md").read_text()
    (code,) = re.findall("```python\n(.*?)```", card, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    found: dict = {}
    exec(code.replace("path/to/this/folder", "run"), found)
    tokens = torch.tensor([[5, 6, 7]])
    with torch.no_grad():
        ours, theirs = (each.float()(tokens).logits for each in (result.model.model, found["model"]))
    torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-3)
    assert found["tokenizer"].get_vocab() == student.tokenizer.get_vocab()


@pytest.mark.slow
def test_the_quick_start_loads_an_adapter_in_any_folder(teacher, student, rows, tmp_path, monkeypatch):
    page = (Path(__file__).parents[2] / "book" / "quickstart.md").read_text()
    (code,) = (block for block in re.findall("```python\n(.*?)```", page, re.DOTALL) if "import PeftConfig" in block)
    save(teacher, tmp_path / "teacher")
    save(student, tmp_path / "student")
    monkeypatch.chdir(tmp_path)
    made = {"output_dir": "runs/first", "epochs": 1, "rank": 2, "learning_rate": 0.1}
    result = run_method("sft", "teacher", "student", rows, **made)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    found: dict = {}
    exec(code.replace("runs/first", "../runs/first"), found)
    tokens = torch.tensor([[5, 6, 7]])
    with torch.no_grad():
        ours, theirs = (each.float()(tokens).logits for each in (result.model.model, found["adapted"]))
    torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-3)
