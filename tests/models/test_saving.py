"""Adapters and plain models on disk: other files stay, and nothing half-written looks like a model."""

import contextlib
import os
import signal
import stat
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import torch
from helpers.disks import file_size_limit
from helpers.models import randomise
from helpers.saved_models import save_one_of_each
from peft import PeftModel

from semalign import files
from semalign.models.loading import LanguageModel, load_model
from semalign.models.saved_files import files_of_result
from semalign.models.saving import save_model
from semalign.results.records import make_record, read_record
from semalign.settings import TrainingSettings
from semalign.stopping import Stopped, handled
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


def test_a_plain_model_is_saved_with_its_tokenizer_and_replaces_the_last(student, tmp_path):
    for change in (0.0, 1.0):
        with torch.no_grad():
            student.model.lm_head.weight += change
        there = [path.name for path in tmp_path.glob("new/folder/*")]
        save_model(student, tmp_path / "new" / "folder", replaced=there)
    assert len(there) == len(list(tmp_path.glob("new/folder/*"))) > 3
    loaded = load_model(tmp_path / "new" / "folder", dtype=torch.float64)
    assert torch.equal(logits(loaded.model), logits(student.model))
    assert loaded.tokenizer.get_vocab() == student.tokenizer.get_vocab()


def make_run(seed):
    """Return a record that differs with the seed."""
    known = {"method": "sft", "teacher": None, "student": "s", "task": "t", "metric": "training_loss", "value": 1.0}
    return make_record(**known, seed=seed, n=1, configuration={}, fingerprints={}, seconds=1.0)


def test_the_record_comes_first_and_the_configuration_last(adapted, student, tmp_path, monkeypatch):
    for number, (model, configuration) in enumerate(((adapted, "adapter_config.json"), (student, "config.json"))):
        moved, replace = [], os.replace
        with monkeypatch.context() as patched:
            patched.setattr(files.os, "replace", lambda a, b, m=moved, r=replace: m.append(b) or r(a, b))
            save_model(model, tmp_path / str(number), make_run(0))
        names = [path.name for path in moved if path.parent == tmp_path / str(number)]
        assert (names[0], names[-1]) == ("record.json", configuration) and len(names) >= 3


def test_the_record_lists_the_other_files(adapted, student, tmp_path):
    for name, model in (("adapter", adapted), ("model", student)):
        save_model(model, tmp_path / name, made := make_run(0), card="# Mine\n")
        details = read_record(tmp_path / name / "record.json")["details"]
        assert details["files"].keys() == {path.name for path in (tmp_path / name).iterdir()} - {"record.json"}
        assert "README.md" in details["files"] and made["details"] == {}


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


def stopped_at(step, run, monkeypatch):
    """Run a function that is stopped at its n-th change of a name on disk; return whether it was."""
    done, stopped = [], []

    def counting(change):
        def counted(*given, **options):
            if len(done) == step:
                stopped.append(True)
                raise KeyboardInterrupt
            done.append(True)
            return change(*given, **options)

        return counted

    with monkeypatch.context() as patched, contextlib.suppress(KeyboardInterrupt):
        patched.setattr(os, "replace", counting(os.replace))
        patched.setattr(Path, "unlink", counting(Path.unlink))
        run()
    return bool(stopped)


@pytest.mark.parametrize("order", [("model", "adapter"), ("adapter", "model"), ("adapter", "adapter")])
def test_at_each_step_a_model_has_its_own_record_and_all_files_are_known(
    order, adapted, student, tmp_path, monkeypatch
):
    first, second = ({"model": student, "adapter": adapted}[kind] for kind in order)
    for step in range(100):
        save_model(first, folder := tmp_path / str(step), make_run(0), "# First\n")
        (folder / "own.txt").touch()
        again = partial(save_model, second, folder, make_run(1), "# Second\n", files_of_result(folder))
        if not stopped_at(step, again, monkeypatch):
            break
        left = {path.name for path in folder.iterdir()}
        assert left - files_of_result(folder) == {"own.txt"}
        if left & {"config.json", "adapter_config.json"}:
            known = read_record(folder / "record.json")
            assert left - {"record.json", "own.txt"} == known["details"]["files"].keys()
    save_model(second, tmp_path / "alone", make_run(1), "# Second\n")
    assert {path.name for path in folder.iterdir()} == {
        "own.txt",
        *(path.name for path in (tmp_path / "alone").iterdir()),
    }
    assert 10 < step < 99 and read_record(folder / "record.json")["seed"] == 1


def test_what_came_meanwhile_under_the_name_of_a_new_file_is_kept(adapted, tmp_path, caplog):
    for name in ("README.md", "README.md.1", "record.json"):
        (tmp_path / name).write_text(f"my {name}")
    (tmp_path / "adapter_config.json").mkdir()
    save_model(adapted, tmp_path, make_run(1), "# Card\n")
    kept = {path.name: path.read_text() for path in tmp_path.glob("*.[12]") if path.is_file()}
    assert kept == {"README.md.1": "my README.md.1", "README.md.2": "my README.md", "record.json.1": "my record.json"}
    assert (tmp_path / "adapter_config.json.1").is_dir() and (tmp_path / "adapter_config.json").is_file()
    assert (tmp_path / "README.md").read_text() == "# Card\n" and read_record(tmp_path / "record.json")["seed"] == 1
    assert (
        f"{tmp_path / 'README.md'} is not of an earlier result: it is kept as {tmp_path / 'README.md.2'}" in caplog.text
    )


def test_a_stop_signal_waits_until_all_files_have_moved(adapted, tmp_path, monkeypatch):
    replace = os.replace

    def told_to_stop(source, target):
        if Path(target).parent == tmp_path:
            signal.raise_signal(signal.SIGTERM)
        replace(source, target)

    monkeypatch.setattr(os, "replace", told_to_stop)
    with pytest.raises(Stopped), handled():
        save_model(adapted, tmp_path, make_run(1))
    assert {"record.json", "adapter_config.json", "adapter_model.safetensors"} == {p.name for p in tmp_path.iterdir()}


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
