"""The models and rows of a profile: read once, and none that is trained on is measured on."""

from dataclasses import replace

import pytest
import torch
from helpers.saved_models import Watch

from semalign.experiments import curves, inputs
from semalign.experiments.curves import Curves
from semalign.experiments.inputs import (
    check_data,
    fingerprint_of,
    forget_sources,
    held_out_hash,
    held_out_rows,
    source_once,
    training_rows,
)
from semalign.experiments.profile_parts import TaskProfile
from semalign.files import json_fingerprint
from semalign.models import remembered
from semalign.models.identity import model_identity
from semalign.models.loading import load_model


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
    assert held_out_hash(profile, "micro_gsm8k") == json_fingerprint(found)
    fewer = profile.model_copy(update={"held_out": 1})
    assert held_out_rows(fewer, "micro_gsm8k")[0] == found[:1]
    assert held_out_hash(fewer, "micro_gsm8k") == json_fingerprint(found[:1])


def test_a_task_that_trains_on_its_validation_split_is_measured_on_what_follows_its_training_rows(monkeypatch, profile):
    file, rows = inputs.task_file("micro_gsm8k"), [{"prompt": str(i), "response": "."} for i in range(9)]
    content = {**file.content, "metadata": {**file.metadata, "training": {"splits": ["validation"]}}}
    monkeypatch.setattr(inputs, "task_file", lambda task: replace(file, content=content))
    monkeypatch.setattr(inputs.training, "rows", lambda task, limit, *_, **__: rows[:limit])
    assert held_out_rows(profile, "micro_gsm8k") == (rows[6:], "train")


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
