"""What a record of a cell must be made from: hashes of models and data, and the settings that can make it stale."""

from dataclasses import replace

import pytest
import torch
from helpers.saved_models import Watch

from semalign.data.tasks import split_fingerprint
from semalign.experiments import curves, inputs
from semalign.experiments.cells import NONE, Cell
from semalign.experiments.curves import Curves
from semalign.experiments.inputs import (
    HELD_OUT,
    check_data,
    configuration,
    fingerprint_of,
    fingerprints,
    forget_sources,
    held_out_rows,
    measured_on,
    source_once,
    training_rows,
)
from semalign.experiments.profile_parts import TaskProfile
from semalign.files import json_fingerprint
from semalign.models import remembered
from semalign.models.identity import model_identity
from semalign.models.loading import load_model


@pytest.fixture
def cell(profile):
    return Cell("semalign", profile.teacher, profile.student, "micro_gsm8k", 1)


def test_the_fingerprint_is_the_identity_and_needs_weights_only_once(profile, monkeypatch):
    monkeypatch.setattr(remembered, "RECENT", 0)
    watch = Watch(monkeypatch)
    assert source_once(profile.student) is source_once(profile.student)
    assert fingerprint_of(profile.student) == model_identity(load_model(profile.student))
    forget_sources()  # as in another process
    assert fingerprint_of(profile.student) == model_identity(load_model(profile.student))
    assert watch.loads == [("student", None)] and not watch.alive()


def test_a_model_in_another_type_is_another_one(profile, monkeypatch):
    first = source_once(profile.student)
    monkeypatch.setenv("SEMALIGN_DTYPE", "bfloat16")
    second = source_once(profile.student)
    assert second is not first and (first.facts.types, second.facts.types) != (["float32"], ["float32"])
    assert second.load().model.dtype == torch.bfloat16
    assert second.facts.identity != model_identity(load_model(profile.student, dtype=torch.float32))


def test_a_transfer_depends_on_both_models_and_both_splits_and_a_score_on_two_of_them(profile, cell):
    asked = []
    found = fingerprints(cell, lambda task: asked.append(task) or "rows")
    assert found == {
        "teacher": fingerprint_of(profile.teacher), "student": fingerprint_of(profile.student), "data": "rows",
        "test": split_fingerprint("micro_gsm8k", "test"),
    }  # fmt: skip
    assert asked == ["micro_gsm8k"]
    plain = fingerprints(Cell(NONE, None, profile.teacher, "micro_gsm8k", None), pytest.fail)
    assert plain == {"student": fingerprint_of(profile.teacher), "test": found["test"]}


def test_training_rows_are_the_first_of_the_task(profile):
    found = training_rows(profile, "micro_gsm8k")
    assert len(found) == 6 and "what is 0+1?" in found[0]["prompt"]


def test_training_rows_are_read_once_for_all_cells_and_again_from_another_data_root(profile, monkeypatch, tmp_path):
    asked, read = [], inputs.training.rows
    monkeypatch.setattr(inputs.training, "rows", lambda *given, **chat: asked.append(given) or read(*given, **chat))
    first = training_rows(profile, "micro_gsm8k")
    first.clear()  # what one cell does to its list is not seen by the next
    assert len(training_rows(profile, "micro_gsm8k")) == 6 and len(asked) == 1
    monkeypatch.setenv("SEMALIGN_DATA", f"{tmp_path / 'elsewhere'}:{tmp_path / 'roots'}")
    assert len(training_rows(profile, "micro_gsm8k")) == 6 and len(asked) == 2
    forget_sources()
    assert len(training_rows(profile, "micro_gsm8k")) == 6 and len(asked) == 3


def test_held_out_rows_are_of_the_validation_split_and_none_is_trained_on(profile):
    found, split = held_out_rows(profile, "micro_gsm8k")  # its splits are equal, and six of eight rows are trained on
    assert split == "validation"
    assert [row["prompt"].split("?")[0][-3:] for row in found] == ["3+1", "3+2"]
    assert held_out_rows(profile.model_copy(update={"held_out": 1}), "micro_gsm8k")[0] == found[:1]


def test_a_task_that_trains_on_its_validation_split_is_measured_on_what_follows_its_training_rows(monkeypatch, profile):
    file, rows = inputs.task_file("micro_gsm8k"), [{"prompt": str(i), "response": "."} for i in range(9)]
    content = {**file.content, "metadata": {**file.metadata, "training": {"splits": ["validation"]}}}
    monkeypatch.setattr(inputs, "task_file", lambda task: replace(file, content=content))
    monkeypatch.setattr(inputs.training, "rows", lambda task, limit, *_, **__: rows[:limit])
    assert held_out_rows(profile, "micro_gsm8k") == (rows[6:], "train")


def test_the_configuration_is_that_of_method_task_and_evaluation(profile, cell):
    record = {"configuration": {"rank": 1, "epochs": 1, "sandbox": None, "batch_size": 1}}
    found = configuration(profile, cell, record)
    assert (found["method"], found["seed"], found["rank"], found["epochs"]) == ("semalign", 1, 2, 1)
    assert (found["split"], found["limit"], found["chat"]) == ("test", 4, "plain")
    assert "sandbox" not in found and "ridge_penalty" not in found  # younger than the record
    plain = configuration(profile, Cell(NONE, None, profile.teacher, "micro_gsm8k", None), record)
    assert plain.keys() == {"split", "limit", "chat", "task_version"}


def test_what_is_lacking_is_told_before_anything_runs(profile):
    def asked(**sizes):
        return profile.model_copy(update={"tasks": {"micro_gsm8k": TaskProfile(**sizes)}})

    check_data(asked(train_size=8), "micro_gsm8k", "test")  # all rows are trained on: a score needs no others
    message = "micro_gsm8k trains on all its rows, so that none is left to measure"
    with pytest.raises(ValueError, match=message):
        check_data(asked(train_size=8), "micro_gsm8k", None)
    with pytest.raises(ValueError, match=message):
        curves.run(Curves(asked(train_size=8), ["semalign"], steps=(0, 1), scored=()))
    with pytest.raises(ValueError, match="micro_gsm8k has 8 training rows, fewer than its train_size of 9"):
        check_data(asked(train_size=9), "micro_gsm8k", "test")


def test_a_record_that_knows_its_held_out_rows_must_be_of_those_that_are_here(profile, cell, tmp_path):
    plain = {"configuration": {"rank": 2}}
    assert measured_on(profile, "micro_gsm8k", plain) == {} and HELD_OUT not in configuration(profile, cell, plain)
    known = {"configuration": {HELD_OUT: ""}}
    first = configuration(profile, cell, known)[HELD_OUT]
    assert first == json_fingerprint(held_out_rows(profile, "micro_gsm8k")[0])
    path = tmp_path / "roots" / "semalign" / "micro-gsm8k" / "validation.jsonl"
    path.write_text(path.read_text().replace("3+2=5", "3+2=6"))
    forget_sources()
    assert configuration(profile, cell, known)[HELD_OUT] != first
