import json
import math
import re

import pytest

from semalign.results.records import (
    DamagedRecordError,
    RunRecord,
    make_record,
    read_record,
    read_records,
    write_record,
)

RUN = {
    "method": "semalign",
    "teacher": "micro-teacher",
    "student": "micro-student",
    "task": "micro_gsm8k",
    "seed": 1,
    "metric": "exact_match",
    "value": 72.5,
    "n": 500,
    "configuration": {"rank": 16},
    "fingerprints": {"teacher": "a", "student": "b", "data": "c"},
    "seconds": 1.5,
}


def test_a_record_is_completed_from_the_process_and_survives_the_disk(tmp_path):
    record = make_record(**RUN, interval=(68.4, 76.2), details={"scores": [1, 2.5]})
    assert set(record) == set(RunRecord.model_fields)
    assert record["interval"] == [68.4, 76.2]
    assert record["losses"] == [] and record["status"] == "done"
    assert record["versions"]["torch"] and record["created"].endswith("+00:00")
    write_record(tmp_path / "deep" / "run.json", record)
    assert read_record(tmp_path / "deep" / "run.json") == record
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["run.json"]


def test_records_become_a_table(tmp_path):
    for seed in (0, 1):
        write_record(tmp_path / f"{seed}.json", make_record(**{**RUN, "seed": seed, "interval": (seed, 100)}))
    write_record(tmp_path / "more" / "2.json", make_record(**{**RUN, "seed": 2}))
    table = read_records(tmp_path)
    assert list(table["seed"]) == [0, 1, 2]
    assert list(table["path"]) == ["0.json", "1.json", "more/2.json"]
    assert list(table["low"])[:2] == [0, 1] and math.isnan(table["low"][2])
    assert table.groupby("task")["value"].mean()["micro_gsm8k"] == 72.5


def test_chosen_records_are_those_of_the_folder_itself(tmp_path):
    for name, seed in (("0.json", 0), ("1.json", 1), ("copy/1.json", 2), ("copy/2.json", 3)):
        write_record(tmp_path / name, make_record(**{**RUN, "seed": seed}))
    assert list(read_records(tmp_path, {"1.json", "2.json"})["seed"]) == [1]


def test_the_table_says_how_far_the_training_went(tmp_path):
    details = {"steps": 80, "weight_change": 0.25, "layer_cosine": {"before": 0.1, "after": 0.5}}
    write_record(tmp_path / "new.json", make_record(**RUN, details=details))
    write_record(tmp_path / "old.json", make_record(**RUN, details={"before": None, "after": None}))
    columns = ["steps", "weight_change", "layer_cosine_before", "layer_cosine_after"]
    new, old = read_records(tmp_path)[columns].to_numpy().tolist()
    assert new == [80, 0.25, 0.1, 0.5] and all(map(math.isnan, old))
    with pytest.raises(ValueError, match="weight_change"):
        make_record(**RUN, details={**details, "weight_change": -1.0})


def test_a_folder_without_records_gives_an_empty_table(tmp_path):
    assert read_records(tmp_path).empty
    assert "value" in read_records(tmp_path).columns
    with pytest.raises(FileNotFoundError, match="nowhere"):
        read_records(tmp_path / "nowhere")


def test_missing_and_unknown_keys_are_named():
    with pytest.raises(ValueError, match="student: field required"):
        make_record(**{key: value for key, value in RUN.items() if key != "student"})
    with pytest.raises(ValueError, match="sed: extra inputs"):
        make_record(**RUN, sed=3)
    with pytest.raises(ValueError, match="n: input should be a valid integer"):
        make_record(**{**RUN, "n": "many"})


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / "half.json").write_text('{"method": "semalign"')
    with pytest.raises(ValueError, match=r"half\.json is damaged \(not JSON.*\): delete it and make it again"):
        read_records(tmp_path)
    (tmp_path / "half.json").write_text(json.dumps(RUN))
    with pytest.raises(ValueError, match=r"half\.json is damaged \(it is not a run record.*versions: field required"):
        read_records(tmp_path)


WRITTEN = json.dumps(make_record(**RUN, interval=(68.4, 76.2), losses=[{"layer": 0.5}]))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda text: text.replace("72.5", "NaN"), "not JSON: NaN is no number"),
        (lambda text: text.replace("72.5", "-Infinity"), "not JSON: -Infinity is no number"),
        (lambda text: text.replace("72.5", "1e999"), "value: input should be a finite number"),
        (lambda text: text.replace("72.5", "5000"), "a value of 5000 is outside its interval, 68.4 to 76.2"),
        (lambda text: text.replace("68.4", "77.2"), "outside its interval, 77.2 to 76.2"),
        (lambda text: text.replace('"done"', '"failed"'), "status: input should be 'done'"),
        (lambda text: text.replace("72.5", "72.6"), "its checksum is that of other content"),
        (lambda text: text.replace("0.5", "0.4"), "its checksum is that of other content"),
        (lambda text: text.replace('"rank": 16', '"rank": 8'), "its checksum is that of other content"),
        (lambda text: "[" * 100_000, "not JSON: maximum recursion depth"),
        (lambda text: text.replace("16", "1" * 5000), "not JSON: Exceeds the limit"),
        (lambda text: text.replace('"b"', '"\\ud800"'), "is not a run record; "),
        (lambda text: "\x00" * 100, "not JSON: Expecting value"),
        (lambda text: "", "not JSON: Expecting value"),
    ],
)
def test_what_was_changed_on_disk_is_noticed_and_said_in_one_line(tmp_path, change, reason):
    path = tmp_path / "run.json"
    write_record(path, json.loads(WRITTEN))
    path.write_text(change(path.read_text()))
    with pytest.raises(DamagedRecordError, match=f"{re.escape(reason)}.*: delete it and make it again$") as caught:
        read_record(path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value) and caught.value.reason in str(caught.value)


def test_in_the_folder_of_a_model_only_its_record_is_one(tmp_path):
    names = ("adapter", "adapter_config.json"), ("model", "config.json")
    for name, configuration in names:
        write_record(tmp_path / name / "record.json", make_record(**RUN))
        for file in (configuration, "tokenizer.json", "generation_config.json"):
            (tmp_path / name / file).write_text('{"version": 1}')
    write_record(tmp_path / "other.json", make_record(**RUN))
    assert list(read_records(tmp_path)["path"]) == ["adapter/record.json", "model/record.json", "other.json"]
    assert list(read_records(tmp_path / "model")["path"]) == ["record.json"]
    write_record(tmp_path / "adapter" / "micro_gsm8k.json", make_record(**RUN))
    assert list(read_records(tmp_path / "adapter")["path"]) == ["micro_gsm8k.json", "record.json"]
    assert len(read_records(tmp_path / "adapter", ["micro_gsm8k.json"])) == 1
    with pytest.raises(DamagedRecordError, match="is no run record"):
        read_records(tmp_path / "adapter", ["tokenizer.json"])


def test_it_is_not_advised_to_delete_what_was_never_a_record(tmp_path):
    path = tmp_path / "settings.json"
    path.write_text('{"hidden_size": 16}')
    told = f"^{re.escape(str(path))} is no run record: choose a folder that holds run records alone$"
    with pytest.raises(DamagedRecordError, match=told) as caught:
        read_records(tmp_path)
    assert caught.value.reason.startswith("it is not a run record; ")


def test_bytes_that_are_no_text_are_said_in_one_line(tmp_path):
    (tmp_path / "run.json").write_bytes(b"\xff\xfe")
    with pytest.raises(DamagedRecordError, match="not JSON: 'utf-8' codec can't decode"):
        read_record(tmp_path / "run.json")


def test_a_record_from_before_there_were_checksums_is_read(tmp_path):
    (tmp_path / "run.json").write_text(WRITTEN)
    record = read_record(tmp_path / "run.json")
    write_record(tmp_path / "run.json", record)
    assert json.loads((tmp_path / "run.json").read_text()).keys() - record.keys() == {"checksum"}
    assert read_record(tmp_path / "run.json") == record


def test_a_record_that_is_being_written_is_not_read(tmp_path):
    write_record(tmp_path / "run.json", json.loads(WRITTEN))
    (tmp_path / ".tmp-a-1-b" / "new").mkdir(parents=True)
    (tmp_path / ".tmp-a-1-b" / "new" / "run.json").write_text("{")
    assert len(read_records(tmp_path)) == 1


def test_an_incomplete_record_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="not a run record"):
        write_record(tmp_path / "run.json", RUN)
    assert not list(tmp_path.iterdir())


def test_not_a_number_becomes_null():
    record = make_record(**{**RUN, "value": math.nan}, losses=[{"layer": math.inf}])
    assert record["value"] is None
    assert record["losses"] == [{"layer": None}]
