"""The place of a record: names that fit a file, and no record of another model's place."""

import pytest

from semalign.results.record_paths import check_length, check_same_models
from semalign.results.records import make_record, write_record

RUN = {
    "method": "none",
    "teacher": None,
    "student": "student",
    "task": "micro_gsm8k",
    "seed": None,
    "metric": "exact_match",
    "value": 72.5,
    "n": 500,
    "configuration": {"adapter": "runs/mine"},
    "fingerprints": {"student": "b"},
    "seconds": 1.5,
}


def test_the_name_of_a_record_leaves_room_for_that_of_its_answers(tmp_path):
    """``.answers.jsonl.gz`` has 17 bytes, so that 238 are left."""
    check_length("a" * 238 + ".json")
    (tmp_path / ("a" * 238 + ".answers.jsonl.gz")).touch()
    with pytest.raises(OSError, match=r"^the record a+\.json has a name that is 1 bytes too long for a file: give"):
        check_length("a" * 239 + ".json")
    with pytest.raises(OSError, match="is 2 bytes too long"):
        check_length("\u00e9" * 120 + ".json")
    with pytest.raises(OSError, match="too long"):
        (tmp_path / ("a" * 239 + ".answers.jsonl.gz")).touch()


def test_a_record_of_the_same_models_may_be_replaced(tmp_path, monkeypatch):
    path = tmp_path / "micro_gsm8k.json"
    check_same_models(path, student="student", adapter=None)
    write_record(path, make_record(**RUN))
    check_same_models(path, student="student", adapter="runs/mine")
    check_same_models(path, student="student", adapter="./runs/mine/")
    monkeypatch.chdir(tmp_path)
    check_same_models(path, student="student", adapter=str(tmp_path / "runs" / "mine"))
    path.write_text(path.read_text()[:100])
    check_same_models(path, student="other", adapter=None)


@pytest.mark.parametrize("content", ["{}", '[{"question": 1}]', '{"question": 1}'])
def test_a_file_that_is_no_record_is_not_replaced(tmp_path, content):
    path = tmp_path / "micro_gsm8k.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"micro_gsm8k\.json is no run record: choose another --out, or move it"):
        check_same_models(path, student="student")


@pytest.mark.parametrize(
    ("models", "there"),
    [
        ({"student": "other", "adapter": "runs/mine"}, "'student' with the adapter runs/mine"),
        ({"student": "student", "adapter": None}, "'student' with the adapter runs/mine"),
        ({"student": "student", "adapter": "runs/other"}, "'student' with the adapter runs/mine"),
        ({"student": "other"}, "'student'"),
    ],
)
def test_a_record_of_other_models_is_not_replaced(tmp_path, models, there):
    path = tmp_path / "micro_gsm8k.json"
    write_record(path, make_record(**RUN))
    with pytest.raises(ValueError, match=rf"micro_gsm8k\.json is the record of {there}: choose another --out, or del"):
        check_same_models(path, **models)


def test_a_pair_is_told_by_both_of_its_models(tmp_path):
    write_record(tmp_path / "diagnosis.json", make_record(**{**RUN, "teacher": "teacher"}))
    with pytest.raises(ValueError, match=r"is the record of 'teacher' and 'student': choose another --out"):
        check_same_models(tmp_path / "diagnosis.json", teacher="other", student="student")
