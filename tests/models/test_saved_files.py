"""The files of a result are told from all others: by its record's list, or as earlier versions wrote them."""

import json

import pytest
import torch
from helpers.models import randomise

from semalign.models import saved_files
from semalign.models.loading import LanguageModel
from semalign.models.saved_files import files_of_result, stamps, strangers
from semalign.models.saving import save_model
from semalign.results.records import make_record, read_record, write_record
from semalign.settings import TrainingSettings
from semalign.tensor_files import write_tensors
from semalign.training.lora import add_lora

CARD = "---\nlibrary_name: peft\ntags: [lora, semalign]\n---\n\n# A after sft\n\nA LoRA adapter made by semalign. It.\n"
ADAPTER = {"record.json", "README.md", "adapter_config.json", "adapter_model.safetensors"}
MODEL = {
    *("record.json", "README.md", "config.json", "generation_config.json", "model.safetensors"),
    *("tokenizer.json", "tokenizer_config.json"),
}


def make_run(**changed):
    known = {"method": "sft", "teacher": None, "student": "s", "task": "t", "metric": "training_loss", "value": 1.0}
    more = {"seed": 0, "n": 1, "configuration": {}, "fingerprints": {}, "seconds": 1.0}
    return make_record(**{**known, **more, **changed})


@pytest.fixture
def saved(student, tmp_path):
    """A function that saves an adapter or a whole model, with a list of its files or as earlier versions did."""
    adapted = add_lora(student.model, [2], TrainingSettings(rank=2))
    randomise(adapted)
    models = {"adapter": LanguageModel(adapted.eval(), student.tokenizer), "model": student}

    def save(kind, listed=True, **changed):
        save_model(models[kind], tmp_path, make_run(**changed), CARD)
        if not listed:
            record = read_record(tmp_path / "record.json")
            del record["details"]["files"]
            write_record(tmp_path / "record.json", record)
        return tmp_path

    return save


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize(("kind", "names"), [("adapter", ADAPTER), ("model", MODEL)])
def test_the_files_of_a_result_are_those_that_were_written(saved, kind, names, listed):
    folder = saved(kind, listed)
    assert {path.name for path in folder.iterdir()} == names
    for name in (
        "model-v1.safetensors",
        "adapter_model.old",
        "adapter_model.bin",
        "notes.txt",
        "checkpoint.safetensors",
    ):
        (folder / name).write_text("mine")
    (folder / "vocab.json").mkdir()
    assert files_of_result(folder) == names


@pytest.mark.parametrize("listed", [True, False])
def test_what_stands_beside_an_adapter_is_no_part_of_it(saved, listed):
    folder = saved("adapter", listed)
    for name in ("config.json", "generation_config.json", "model.safetensors", "tokenizer.json"):
        (folder / name).write_text("mine")
    assert files_of_result(folder) == ADAPTER
    assert strangers(folder, plain=False) == []
    assert strangers(folder, plain=True) == [
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
    ]


def test_a_listed_file_that_was_changed_is_left_out(saved):
    folder = saved("adapter")
    (folder / "README.md").write_text(CARD + "And I add: it works.\n")
    assert files_of_result(folder) == ADAPTER - {"README.md"} and strangers(folder, plain=False) == []


def test_beside_an_earlier_record_a_readme_of_the_users_own_is_known(saved):
    folder = saved("adapter", listed=False)
    for text in ("# Mine\n", "---\ntags: [mine]\n---\n\nNot made by semalign. \n", "tags: [semalign]\n---\n"):
        (folder / "README.md").write_text(text)
        assert files_of_result(folder) == ADAPTER - {"README.md"} and strangers(folder, plain=False) == []


def test_what_a_stopped_removal_of_an_earlier_version_has_left_is_known(saved):
    folder = saved("adapter", listed=False)
    (folder / "adapter_config.json").unlink()
    assert files_of_result(folder) == ADAPTER - {"adapter_config.json"} and strangers(folder, plain=False) == []


@pytest.mark.parametrize("change", ["damaged", "number", "notes", "other kind", "gone"])
def test_without_the_record_of_a_transfer_as_it_was_written_there_is_no_result(saved, change):
    folder = saved("adapter", metric="resultant_cosine" if change == "other kind" else "training_loss")
    path = folder / "record.json"
    if change == "gone":
        path.unlink()
    elif change != "other kind":
        content = json.loads(path.read_text())
        texts = {"damaged": "{", "number": json.dumps({**content, "value": 0.5}), "notes": '{"my": "notes"}'}
        path.write_text(texts[change])
    assert files_of_result(folder) == set()
    assert strangers(folder, plain=False) == sorted(ADAPTER - ({"record.json"} if change == "gone" else set()))


def test_a_list_names_nothing_outside_its_folder(saved, tmp_path):
    folder = saved("adapter")
    (tmp_path.parent / "mine.txt").write_text("mine")
    record = read_record(folder / "record.json")
    record["details"]["files"] |= {"../mine.txt": stamps(tmp_path.parent)["mine.txt"], str(tmp_path): "x"}
    write_record(folder / "record.json", record)
    assert files_of_result(folder) == ADAPTER


def test_a_large_file_is_known_by_its_size(tmp_path, monkeypatch):
    monkeypatch.setattr(saved_files, "LARGE", 4)
    (tmp_path / "large").write_text("12345")
    (tmp_path / "small").write_text("1234")
    assert stamps(tmp_path) == {"large": "5 bytes", "small": "03ac674216f3e15c"}


def test_checkpoints_are_known_by_what_is_in_them(tmp_path):
    for name in ("checkpoint.safetensors", "checkpoint-3.safetensors", "checkpoint-best.safetensors"):
        (tmp_path / name).write_text("mine")
    assert strangers(tmp_path, plain=False) == ["checkpoint-3.safetensors", "checkpoint.safetensors"]
    write_tensors(tmp_path / "checkpoint.safetensors", {}, {"identity": "a", "losses": []})
    write_tensors(tmp_path / "checkpoint-3.safetensors", {}, {"of": "another kind"})
    assert strangers(tmp_path, plain=False) == ["checkpoint-3.safetensors"]


def test_an_empty_folder_and_none_hold_nothing(tmp_path):
    for folder in (tmp_path, tmp_path / "none"):
        assert files_of_result(folder) == set() and strangers(folder, plain=True) == []


def test_a_damaged_checkpoint_is_one_of_a_training(tmp_path):
    """A power cut leaves an empty file, and a full disk the start of one."""
    path = tmp_path / "checkpoint.safetensors"
    path.touch()
    assert strangers(tmp_path, plain=False) == []
    write_tensors(path, {"a": torch.zeros(100)}, {"identity": "a"})
    path.write_bytes(path.read_bytes()[:60])
    assert strangers(tmp_path, plain=False) == []
