"""The output folder: refused in time, and never with the result of one run under the name of another."""

import json
import logging
import os
import signal
from pathlib import Path

import pytest
from helpers.laten import FAST as LATEN
from helpers.models import make_llama, make_tokenizer, randomise
from peft import PeftModel

import semalign
from semalign.methods import output_folder
from semalign.methods.registry import method
from semalign.methods.runner import run_method
from semalign.models.loading import LanguageModel, load_model
from semalign.models.pair import Pair
from semalign.models.saving import save_model
from semalign.results.records import read_record
from semalign.settings import TrainingSettings
from semalign.training.adaptation import Adapted
from semalign.training.loop import Training
from semalign.training.lora import add_lora

FAST = {"epochs": 2, "batch_size": 4, "rank": 2, "student_layer": 2, "teacher_layer": 2}
RESULT = {"adapter_config.json", "adapter_model.safetensors", "record.json"}
ALIEN = "too few shared tokens: .*; at least 64, the wider hidden size, are needed"


def stop_before_training(monkeypatch):
    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Training, "run", stopped)


def warned(caplog):
    """Return the warnings; progress is told at a lower level."""
    return [record.message for record in caplog.records if record.levelno >= logging.WARNING]


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def result_in(folder):
    return {name: (folder / name).read_bytes() for name in RESULT}


def names(folder):
    return {path.name for path in folder.iterdir()}


def test_a_result_stays_until_that_of_another_run_is_whole(teacher, student, rows, tmp_path, monkeypatch, caplog):
    semalign.transfer(teacher, student, rows, output_dir=tmp_path, **FAST)
    (tmp_path / "notes.txt").touch()
    before = result_in(tmp_path)
    assert names(tmp_path) >= RESULT and not warned(caplog)
    with monkeypatch.context() as patched:
        stop_before_training(patched)
        with pytest.raises(KeyboardInterrupt):
            semalign.transfer(teacher, student, rows, output_dir=tmp_path, seed=1, **FAST)
    assert result_in(tmp_path) == before
    told = f"{tmp_path} holds the result of another run, which is replaced when this one is finished"
    assert warned(caplog) == [told]
    other = semalign.transfer(teacher, student, rows, output_dir=tmp_path, seed=1, **FAST)
    assert all(result_in(tmp_path)[name] != before[name] for name in ("record.json", "adapter_model.safetensors"))
    assert json.loads((tmp_path / "record.json").read_text())["losses"] == other.record["losses"]
    assert names(tmp_path) == {*RESULT, "README.md", "checkpoint.safetensors", "notes.txt"}


def test_an_adapter_takes_the_place_of_a_whole_model(teacher, student, rows, tmp_path):
    run_method("laten", teacher, student, rows, output_dir=tmp_path, **LATEN)
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= names(tmp_path)
    run_method("sft", teacher, student, rows, output_dir=tmp_path, epochs=1, rank=2)
    assert names(tmp_path) == {*RESULT, "README.md", "checkpoint.safetensors"}


def test_a_run_that_only_needs_other_memory_is_the_same_run(teacher, student, rows, tmp_path, caplog):
    first = semalign.transfer(teacher, student, rows, output_dir=tmp_path, **FAST)
    again = semalign.transfer(teacher, student, rows, output_dir=tmp_path, micro_batch_size=1, **FAST)
    assert not warned(caplog) and again.record["configuration"]["micro_batch_size"] == 1
    assert again.record["losses"] == first.record["losses"]  # from the checkpoint


@pytest.mark.parametrize("other", ["rows", "teacher", "task"])
def test_another_run_is_one_with_any_other_input(teacher, student, rows, tmp_path, monkeypatch, caplog, other):
    semalign.transfer(teacher, student, rows, output_dir=tmp_path, **FAST)
    stop_before_training(monkeypatch)
    given = {"teacher": student if other == "teacher" else teacher, "data": rows[1:] if other == "rows" else rows}
    with pytest.raises(KeyboardInterrupt):
        semalign.transfer(
            student=student, output_dir=tmp_path, task="b" if other == "task" else "own data", **given, **FAST
        )
    assert len(warned(caplog)) == 1 and "result of another run" in warned(caplog)[0]


def test_the_same_run_again_keeps_its_result_until_it_is_replaced(teacher, student, rows, tmp_path, monkeypatch):
    settings = {**FAST, "layer_map": {2: 2}}
    del settings["student_layer"], settings["teacher_layer"]
    semalign.transfer(teacher, student, rows, output_dir=tmp_path, **settings)
    before = result_in(tmp_path)
    stop_before_training(monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        semalign.transfer(teacher, student, rows, output_dir=tmp_path, **settings)
    assert result_in(tmp_path) == before


def test_a_run_may_not_write_over_the_student_that_it_starts_from(teacher, student, rows, tmp_path, monkeypatch):
    model = add_lora(student.model, [2], TrainingSettings(rank=2))
    randomise(model)
    save_model(LanguageModel(model.eval(), student.tokenizer), tmp_path / "adapter")
    save_model(student, tmp_path / "plain")
    carried = PeftModel.from_pretrained(student.model, tmp_path / "adapter").eval()
    monkeypatch.setattr(output_folder, "save_model", lambda *_, **__: pytest.fail("replaced"))
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
        (
            teacher,
            "noted",
            "holds a model or adapter and a record that is damaged or of no run: choose another output folder",
        ),
    ):
        before = content(tmp_path / name)
        with pytest.raises(ValueError, match=f"{tmp_path / name} {message}"):
            semalign.transfer(source, student, rows, output_dir=tmp_path / name, seed=1, **FAST)
        assert content(tmp_path / name) == before
    assert "is replaced" not in caplog.text


OWN = {  # files that people have, under the names of a result
    "README.md": b"# My experiments\n",
    "record.json": b'{"my": "notes"}',
    "adapter_model.safetensors": b"mine",
    "checkpoint.safetensors": b"mine",
}
ALIKE = ("model-v1.safetensors", "adapter_model.old", "generation_config.json", "tokenizer.json", "checkpoint-v1.pt")


def refused(message, teacher, student, rows, folder, monkeypatch, method="semalign", **settings):
    """Make sure that a run is refused before any work, and that nothing in its folder has changed."""
    before = content(folder)
    with monkeypatch.context() as patched, pytest.raises(ValueError, match=message) as caught:
        patched.setattr(Pair, "encode", lambda *_: pytest.fail("work began"))
        run_method(method, teacher, student, rows, output_dir=folder, **settings)
    assert content(folder) == before and "\n" not in str(caught.value)


@pytest.mark.parametrize("name", OWN)
def test_a_file_of_the_user_with_the_name_of_one_of_the_result_is_refused(
    teacher, student, rows, tmp_path, monkeypatch, name
):
    (tmp_path / name).write_bytes(OWN[name])
    message = f"{tmp_path} holds {name}, which this run would replace and which no run has written, .*: choose another"
    refused(message, teacher, student, rows, tmp_path, monkeypatch, **FAST)


def test_all_files_in_the_way_are_told_at_once(teacher, student, rows, tmp_path, monkeypatch):
    for name, mine in OWN.items():
        (tmp_path / name).write_bytes(mine)
    told = "README.md, adapter_model.safetensors, checkpoint.safetensors, record.json, which this run"
    refused(told, teacher, student, rows, tmp_path, monkeypatch, **FAST)


def test_rows_are_not_written_over(teacher, student, rows, tmp_path, monkeypatch):
    data = tmp_path / "record.json"
    data.write_text(json.dumps(rows))
    refused("holds record.json, which this run would replace", teacher, student, data, tmp_path, monkeypatch, **FAST)


@pytest.mark.parametrize("name", ["generation_config.json", "tokenizer.json", "chat_template.jinja"])
def test_a_run_that_gives_a_whole_model_needs_more_names(teacher, student, rows, tmp_path, monkeypatch, name):
    (tmp_path / name).write_text("mine")
    refused(f"holds {name}, which", teacher, student, rows, tmp_path, monkeypatch, "laten", **LATEN)
    run_method("sft", teacher, student, rows, output_dir=tmp_path, epochs=1, rank=2)
    assert (tmp_path / name).read_text() == "mine"


def test_files_with_other_names_stay_when_a_result_is_replaced(teacher, student, rows, tmp_path):
    for name in ALIKE:
        (tmp_path / name).write_text("mine")
    for seed in (0, 1):
        run_method("sft", teacher, student, rows, output_dir=tmp_path, epochs=1, rank=2, seed=seed)
        assert {(tmp_path / name).read_text() for name in ALIKE} == {"mine"}


@pytest.mark.parametrize("name", ["record.json", "adapter_config.json"])
def test_a_file_of_a_result_that_was_changed_is_the_users(teacher, student, rows, tmp_path, monkeypatch, name):
    run_method("sft", teacher, student, rows, output_dir=tmp_path, epochs=1, rank=2)
    (tmp_path / name).write_text((tmp_path / name).read_text().replace("sft", "mine").replace("LORA", "MINE"))
    damaged = "holds a model or adapter and a record that is damaged"
    message = damaged if name == "record.json" else f"holds {name}, which .* was changed since"
    for seed in (0, 1):
        refused(message, teacher, student, rows, tmp_path, monkeypatch, "sft", epochs=1, rank=2, seed=seed)


def test_a_model_card_that_was_edited_is_kept_beside_the_new_one(teacher, student, rows, tmp_path, caplog):
    run_method("sft", teacher, student, rows, output_dir=tmp_path, epochs=1, rank=2)
    card = tmp_path / "README.md"
    card.write_text(card.read_text() + "My notes.\n")
    edited = card.read_text()
    run_method("sft", teacher, student, rows, output_dir=tmp_path, epochs=1, rank=2)
    assert (tmp_path / "README.md.1").read_text() == edited and "My notes." not in card.read_text()
    assert "it is kept as" in caplog.text


def test_a_second_run_in_a_folder_is_refused(teacher, student, rows, tmp_path, monkeypatch):
    tried, train = [], Training.run

    def second():
        with pytest.raises(OSError, match=f"another run is writing to {tmp_path}: wait until it has ended, or choose"):
            run_method("sft", teacher, student, rows, output_dir=tmp_path, epochs=1, rank=2, seed=1)
        tried.append(names(tmp_path))

    with monkeypatch.context() as patched:
        patched.setattr(Training, "run", lambda training, *more: second() or train(training, *more))
        run_method("sft", teacher, student, rows, output_dir=tmp_path, epochs=1, rank=2)
    assert tried == [{".lock"}] and read_record(tmp_path / "record.json")["seed"] == 0
    assert names(tmp_path) == {*RESULT, "README.md", "checkpoint.safetensors"}


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
        ("semalign", {"atoms": "data"}),
    ],
)
def test_a_run_that_is_refused_leaves_the_earlier_result(teacher, student, rows, tmp_path, method, settings):
    run_method("sft", teacher, student, rows, output_dir=tmp_path, epochs=1)
    before, wrong = (
        content(tmp_path),
        "rank 4000 is above|layer 99 does not exist|rows leave none|too few shared tokens",
    )
    with pytest.raises(ValueError, match=wrong):
        run_method(method, teacher, student, rows[:1], output_dir=tmp_path, **settings)
    assert content(tmp_path) == before


def test_so_does_a_run_with_a_teacher_of_other_tokens(teacher, student, rows, tmp_path, monkeypatch):
    run_method("sft", teacher, student, rows, output_dir=tmp_path, epochs=1)
    before = content(tmp_path)
    tokenizer = make_tokenizer(words=[])
    tokenizer.add_tokens([f"<{i}>" for i in range(50)])
    alien = LanguageModel(make_llama(len(tokenizer), 64, 5, seed=1), tokenizer)
    monkeypatch.setattr("semalign.methods.runner.tell", lambda *_: pytest.fail("the checks are over"))
    with pytest.raises(ValueError, match=ALIEN):
        semalign.transfer(alien, student, rows, output_dir=tmp_path, **FAST)
    assert content(tmp_path) == before
