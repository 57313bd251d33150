"""Adapters and plain models on disk: other files stay, and nothing half-written looks like a model."""

import contextlib
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from helpers.disks import file_size_limit
from helpers.models import randomise
from helpers.saved_models import save_one_of_each
from peft import PeftModel

from semalign import files
from semalign.models.loading import LanguageModel, load_model
from semalign.models.saving import remove_model, save_model
from semalign.results.records import make_record
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


def test_a_card_replaces_the_template_of_peft(adapted, tmp_path):
    save_model(adapted, tmp_path / "without")
    save_model(adapted, tmp_path / "with", card="# Mine\n")
    assert not (tmp_path / "without" / "README.md").exists()
    assert (tmp_path / "with" / "README.md").read_text() == "# Mine\n"
    remove_model(tmp_path / "with")
    assert list((tmp_path / "with").iterdir()) == []


def test_a_plain_model_is_saved_with_its_tokenizer_and_replaces_the_last(student, tmp_path):
    for change in (0.0, 1.0):
        with torch.no_grad():
            student.model.lm_head.weight += change
        save_model(student, tmp_path / "new" / "folder")
    loaded = load_model(tmp_path / "new" / "folder", dtype=torch.float64)
    assert torch.equal(logits(loaded.model), logits(student.model))
    assert loaded.tokenizer.get_vocab() == student.tokenizer.get_vocab()


def make_run(seed):
    """Return a record that differs with the seed."""
    known = {"method": "sft", "teacher": None, "student": "s", "task": "t", "metric": "training_loss", "value": 1.0}
    return make_record(**known, seed=seed, n=1, configuration={}, fingerprints={}, seconds=1.0)


def test_the_configuration_comes_last_and_the_record_before_it(adapted, student, tmp_path, monkeypatch):
    for number, (model, configuration) in enumerate(((adapted, "adapter_config.json"), (student, "config.json"))):
        moved, replace = [], os.replace
        with monkeypatch.context() as patched:
            patched.setattr(files.os, "replace", lambda a, b, m=moved, r=replace: m.append(b) or r(a, b))
            save_model(model, tmp_path / str(number), make_run(0))
        names = [path.name for path in moved if path.parent == tmp_path / str(number)]
        assert names[-2:] == ["record.json", configuration] and len(names) >= 3


def test_a_stopped_save_leaves_no_model(student, tmp_path, monkeypatch):
    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(files.os, "replace", stopped)
    with pytest.raises(KeyboardInterrupt):
        save_model(student, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["adapter", "model"])
def test_a_save_that_finds_no_room_changes_nothing_and_is_one_line(kind, adapted, student, tmp_path):
    model = adapted if kind == "adapter" else student
    save_model(model, tmp_path, make_run(0))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with file_size_limit(1000), pytest.raises(OSError, match=rf"^cannot write {tmp_path}: file too large; choose ano"):
        save_model(model, tmp_path, make_run(1))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_colleague_can_read_what_is_saved(adapted, tmp_path):
    before = os.umask(0o022)
    try:
        save_model(adapted, tmp_path / "run", make_run(0))
    finally:
        os.umask(before)
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "run").iterdir()} == {0o644}
    assert stat.S_IMODE((tmp_path / "run").stat().st_mode) == 0o755


@pytest.mark.parametrize("stop", range(7))
def test_removing_never_leaves_a_model_without_its_record(adapted, student, tmp_path, monkeypatch, stop):
    save_model(student, tmp_path)
    save_model(adapted, tmp_path, make_run(0))
    (tmp_path / "own.txt").touch()
    removed, unlink = [], Path.unlink

    def stopping(path, **options):
        if len(removed) == stop:
            raise KeyboardInterrupt
        removed.append(path.name)
        unlink(path, **options)

    monkeypatch.setattr(Path, "unlink", stopping)
    with contextlib.suppress(KeyboardInterrupt):
        remove_model(tmp_path)
    left = {path.name for path in tmp_path.iterdir()}
    assert "own.txt" in left and ("record.json" in left or not left & {"config.json", "adapter_config.json"})
    assert stop < 6 or not left & {"record.json", "model.safetensors", "adapter_model.safetensors"}


PROGRAM = """
import sys
from pathlib import Path
from helpers.models import randomise
from helpers.saved_models import save_one_of_each
save_one_of_each(Path(sys.argv[1]))
print(hash("a"))
"""


@pytest.mark.slow
def test_the_same_run_gives_the_same_bytes_in_every_process(tmp_path):
    """Here and in a process that hashes texts in another way, and so has its sets in another order."""
    seed = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", PROGRAM, tmp_path / "there"]
    told = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout
    assert int(told.split()[-1]) != hash("a")
    save_one_of_each(tmp_path / "here")
    made = []
    for folder in (tmp_path / "here", tmp_path / "there"):
        files_of_run = sorted(path for path in folder.rglob("*") if path.is_file())
        made.append({path.relative_to(folder).as_posix(): path.read_bytes() for path in files_of_run})
    assert len(made[0]) > 8 and made[0] == made[1]
