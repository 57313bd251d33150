"""What a record of a cell must be made from: hashes of models and data, and the settings that can make it stale."""

import pytest

from semalign.data.tasks import split_fingerprint
from semalign.experiments.cells import NONE, Cell
from semalign.experiments.inputs import fingerprint_of, forget_sources, held_out_rows
from semalign.experiments.made_from import HELD_OUT, configuration, fingerprints, measured_on
from semalign.files import json_fingerprint


@pytest.fixture
def cell(profile):
    return Cell("semalign", profile.teacher, profile.student, "micro_gsm8k", 1)


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


def test_the_configuration_is_that_of_method_task_and_evaluation(profile, cell):
    record = {"configuration": {"rank": 1, "epochs": 1, "sandbox": None, "batch_size": 1}}
    found = configuration(profile, cell, record)
    assert (found["method"], found["seed"], found["rank"], found["epochs"]) == ("semalign", 1, 2, 1)
    assert (found["split"], found["limit"], found["chat"]) == ("test", 4, "plain")
    assert "sandbox" not in found and "ridge_penalty" not in found  # younger than the record
    plain = configuration(profile, Cell(NONE, None, profile.teacher, "micro_gsm8k", None), record)
    assert plain.keys() == {"split", "limit", "chat", "task_version"}


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
