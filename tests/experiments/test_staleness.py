"""A record is current if it was made from the models, data and settings that are here."""

import json

import pytest

from semalign.experiments.staleness import changes, problem, resolved
from semalign.methods.registry import method
from semalign.results.records import make_record, write_record

RECORD = {"fingerprints": {"student": "a", "data": "b"}, "configuration": {"rank": 4, "epochs": 3, "extra": 1}}


def test_what_differs_is_named():
    assert changes(RECORD, {"student": "a", "data": "b"}, {"rank": 4}) == []
    assert changes(RECORD, {"student": "a", "data": "c"}, {"rank": 8, "seed": 0}) == ["data", "rank", "seed"]
    assert changes(RECORD, {"student": "a"}, {}) == ["data"]
    assert changes(RECORD, {"student": "a", "data": "b", "teacher": "t"}, {}) == ["teacher"]


def test_a_setting_younger_than_the_record_counts_only_where_it_is_given():
    sft = method("sft")
    assert resolved(sft, {}, RECORD) == {"rank": 16, "epochs": 3}
    assert resolved(sft, {"weight_decay": 0.1}, RECORD) == {"rank": 16, "epochs": 3, "weight_decay": 0.1}


def test_a_setting_that_changes_no_result_makes_no_record_stale():
    given = {"micro_batch_size": 1}
    record = {"configuration": {"rank": 16, "micro_batch_size": 4}}
    assert resolved(method("sft"), given, record) == {"rank": 16}


@pytest.fixture
def record(tmp_path):
    known = {"method": "sft", "teacher": None, "student": "s", "task": "t", "seed": 0, "metric": "response_nll", "n": 1}
    details = {"after": {"response_nll": 1.5}}
    made = make_record(
        **known, value=1.5, configuration={"rank": 4}, fingerprints={"a": "b"}, seconds=1, details=details
    )
    write_record(tmp_path / "a.json", made)
    return made


def asked(_):
    return {"a": "b"}, {"rank": 4}


def test_a_record_is_current_missing_damaged_or_stale(tmp_path, record):
    path = tmp_path / "a.json"
    assert problem(path, asked) is problem(path, asked, "value", "details.after.response_nll") is None
    assert problem(tmp_path / "b.json", asked) == "missing"
    assert problem(path, lambda _: ({"a": "c"}, {"rank": 4, "seed": 0})) == "stale: other a, seed"
    assert problem(path, asked, "value", "details.before.response_nll", "details.x") == (
        "damaged: no number details.before.response_nll, details.x"
    )
    path.write_text(json.dumps({**record, "value": None}))
    assert problem(path, asked, "value") == "damaged: no number value"
    path.write_text(json.dumps({**record, "status": "failed"}))
    assert problem(path, asked) == "damaged: it is not a run record; status: input should be 'done'"
    path.write_text("")
    assert problem(path, asked) == "damaged: not JSON: Expecting value: line 1 column 1 (char 0)"
