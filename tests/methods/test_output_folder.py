"""The output folder: refused in time, and never with the result of one run under the name of another."""

import json
import logging
import os
import signal
from pathlib import Path

import pytest
from helpers.models import randomise
from peft import PeftModel

import semalign
from semalign.methods import output_folder
from semalign.methods.registry import method
from semalign.methods.runner import run_method
from semalign.models.loading import LanguageModel, load_model
from semalign.models.saving import save_model
from semalign.settings import TrainingSettings
from semalign.training.adaptation import Adapted
from semalign.training.loop import Training
from semalign.training.lora import add_lora

FAST = {"epochs": 2, "batch_size": 4, "rank": 2, "student_layer": 2, "teacher_layer": 2}
RESULT = {"adapter_config.json", "adapter_model.safetensors", "record.json"}


def stop_before_training(monkeypatch):
    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Training, "run", stopped)


def warned(caplog):
    """Return the warnings; progress is told at a lower level."""
    return [record.message for record in caplog.records if record.levelno >= logging.WARNING]


def names(folder):
    return {path.name for path in folder.iterdir()}


def test_a_stopped_run_with_other_settings_leaves_nothing_of_the_run_before(
    teacher, student, rows, tmp_path, monkeypatch, caplog
):
    semalign.transfer(teacher, student, rows, output_dir=tmp_path, **FAST)
    (tmp_path / "notes.txt").touch()
    assert names(tmp_path) >= RESULT and not warned(caplog)
    stop_before_training(monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        semalign.transfer(teacher, student, rows, output_dir=tmp_path, seed=1, **FAST)
    assert not names(tmp_path) & RESULT and "notes.txt" in names(tmp_path)
    assert caplog.text.count("holds the result of another run, which is removed") == 1


def test_a_run_that_only_needs_other_memory_is_the_same_run(teacher, student, rows, tmp_path, caplog):
    first = semalign.transfer(teacher, student, rows, output_dir=tmp_path, **FAST)
    again = semalign.transfer(teacher, student, rows, output_dir=tmp_path, micro_batch_size=1, **FAST)
    assert not warned(caplog) and again.record["configuration"]["micro_batch_size"] == 1
    assert again.record["losses"] == first.record["losses"]  # from the checkpoint


@pytest.mark.parametrize("other", ["rows", "teacher", "task", "damaged record"])
def test_another_run_is_one_with_any_other_input(teacher, student, rows, tmp_path, monkeypatch, other):
    semalign.transfer(teacher, student, rows, output_dir=tmp_path, **FAST)
    stop_before_training(monkeypatch)
    if other == "damaged record":
        (tmp_path / "record.json").write_text("{")
    given = {"teacher": student if other == "teacher" else teacher, "data": rows[1:] if other == "rows" else rows}
    with pytest.raises(KeyboardInterrupt):
        semalign.transfer(
            student=student, output_dir=tmp_path, task="b" if other == "task" else "own data", **given, **FAST
        )
    assert not names(tmp_path) & RESULT


def test_the_same_run_again_keeps_its_result_until_it_is_replaced(teacher, student, rows, tmp_path, monkeypatch):
    settings = {**FAST, "layer_map": {2: 2}}
    del settings["student_layer"], settings["teacher_layer"]
    semalign.transfer(teacher, student, rows, output_dir=tmp_path, **settings)
    before = {name: (tmp_path / name).read_bytes() for name in RESULT}
    stop_before_training(monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        semalign.transfer(teacher, student, rows, output_dir=tmp_path, **settings)
    assert {name: (tmp_path / name).read_bytes() for name in RESULT} == before


def test_a_run_may_not_write_over_the_student_that_it_starts_from(teacher, student, rows, tmp_path, monkeypatch):
    model = add_lora(student.model, [2], TrainingSettings(rank=2))
    randomise(model)
    save_model(LanguageModel(model.eval(), student.tokenizer), tmp_path / "adapter")
    save_model(student, tmp_path / "plain")
    carried = PeftModel.from_pretrained(student.model, tmp_path / "adapter").eval()
    monkeypatch.setattr(output_folder, "remove_model", lambda *_: pytest.fail("removed"))
    for start, folder in (
        (LanguageModel(carried, student.tokenizer), tmp_path / "adapter"),
        (load_model(tmp_path / "plain", dtype=student.model.dtype), tmp_path / "plain"),
    ):
        with pytest.raises(ValueError, match=f"{folder} holds the student that this run starts from: choose another"):
            semalign.transfer(teacher, start, rows, output_dir=folder, **FAST)


def test_a_run_may_not_write_over_its_teacher_or_a_model_of_somebody_else(teacher, student, rows, tmp_path, caplog):
    save_model(teacher, tmp_path / "own")
    semalign.transfer(teacher, student, rows, output_dir=tmp_path / "run", **FAST)
    adapted = semalign.load_model(tmp_path / "own", dtype=teacher.model.dtype)
    carried = LanguageModel(PeftModel.from_pretrained(student.model, tmp_path / "run").eval(), student.tokenizer)
    save_model(student, tmp_path / "foreign")
    save_model(student, tmp_path / "noted")
    (tmp_path / "noted/record.json").write_text('{"album": 1}')
    for source, name, message in (
        (adapted, "own", "holds the teacher of this run: choose another output folder"),
        (carried, "run", "holds the teacher of this run: choose another output folder"),
        (teacher, "foreign", "holds a model or adapter without the record of a run: choose another output folder"),
        (teacher, "noted", "holds a model or adapter without the record of a run: choose another output folder"),
    ):
        before = {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
        with pytest.raises(ValueError, match=f"{tmp_path / name} {message}"):
            semalign.transfer(source, student, rows, output_dir=tmp_path / name, seed=1, **FAST)
        assert {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} == before
    assert "is removed" not in caplog.text


def plain_method(inputs):
    """Return an adapter as its seed makes it, without training: quick enough to be killed at each step."""
    model = add_lora(inputs.pair.student.model, [2], inputs.settings)
    return Adapted(model.eval(), [{"layer": 1.0, "output": 1.0}])


def killed_at(step, run):
    """Run a function in a process that is killed at its n-th change of a name on disk; return whether it was."""
    if (process := os.fork()) == 0:
        done = 0

        def counting(change):
            def counted(*given, **options):
                nonlocal done
                if done == step:
                    os.kill(os.getpid(), signal.SIGKILL)
                done += 1
                return change(*given, **options)

            return counted

        os.replace, os.rmdir, Path.unlink, Path.mkdir = map(counting, (os.replace, os.rmdir, Path.unlink, Path.mkdir))
        try:
            run()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == -signal.SIGKILL


@pytest.mark.slow
def test_a_kill_at_any_step_never_leaves_the_result_of_one_run_under_the_name_of_another(
    teacher, student, rows, tmp_path
):
    quick = method("semalign")._replace(adapt=plain_method)

    def run(seed, folder):
        return semalign.run_method(quick, teacher, student, rows[:2], output_dir=folder, seed=seed, rank=2)

    def weights(folder):
        return (folder / "adapter_model.safetensors").read_bytes()

    whole = {}
    for seed in (0, 1):
        run(seed, tmp_path / str(seed))
        whole[seed] = weights(tmp_path / str(seed))
    step, seen = 0, set()
    while True:
        folder = tmp_path / "killed" / str(step)
        run(0, folder)
        if not killed_at(step, lambda to=folder: run(1, to)):
            break
        if (folder / "adapter_config.json").exists():
            made = json.loads((folder / "record.json").read_text())["seed"]
            assert weights(folder) == whole[made], step
            seen.add(made)
        else:
            seen.add(None)
        run(1, folder)
        assert weights(folder) == whole[1] and json.loads((folder / "record.json").read_text())["seed"] == 1
        assert not [name for name in names(folder) if name.startswith(".")]
        step += 1
    assert seen == {0, 1, None} and step > 12


@pytest.mark.parametrize(
    ("method", "settings"),
    [
        ("semalign", {"rank": 4000}),
        ("semalign", {"student_layer": 99}),
        ("sft", {"rank": 4000}),
        ("seeking", {"rank": 4000}),
        ("laten", {"extract_size": 500}),
    ],
)
def test_a_run_that_is_refused_leaves_the_earlier_result(teacher, student, rows, tmp_path, method, settings):
    run_method("sft", teacher, student, rows, output_dir=tmp_path, epochs=1)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(ValueError, match=r"rank 4000 is above|layer 99 does not exist|rows leave none to train on"):
        run_method(method, teacher, student, rows, output_dir=tmp_path, **settings)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
