import json
import math
import sys
from pathlib import Path

import pytest

from semalign.results.records import (
    RunRecord,
    command,
    make_record,
    peak_memory,
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
    assert list(read_records(tmp_path, {"1.json", "2.json"})["seed"]) == [1, 2]


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
    with pytest.raises(ValueError, match=r"half\.json is not JSON"):
        read_records(tmp_path)
    (tmp_path / "half.json").write_text(json.dumps(RUN))
    with pytest.raises(ValueError, match=r"half\.json is not a run record.*versions: field required"):
        read_records(tmp_path)


def test_an_incomplete_record_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="not a run record"):
        write_record(tmp_path / "run.json", RUN)
    assert not list(tmp_path.iterdir())


def test_not_a_number_becomes_null():
    record = make_record(**{**RUN, "value": math.nan}, losses=[{"layer": math.inf}])
    assert record["value"] is None
    assert record["losses"] == [{"layer": None}]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system keeps no such file")
def test_peak_memory_is_in_bytes():
    lines = Path("/proc/self/status").read_text().splitlines()
    kilobytes = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    assert peak_memory() == pytest.approx(kilobytes * 1024, rel=0.05)


def test_the_command_line_is_kept_relative_to_the_checkout(monkeypatch, tmp_path):
    monkeypatch.setenv("SEMALIGN_ROOT", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["/usr/bin/semalign", "transfer", f"{tmp_path}/data/a b.jsonl"])
    assert make_record(**RUN)["command"] == "semalign transfer 'data/a b.jsonl'"
    monkeypatch.setattr(sys, "argv", ["/x/ipykernel_launcher.py", "-f", "/tmp/kernel.json"])
    assert make_record(**RUN)["command"] == "notebook"


def test_the_home_folder_is_a_tilde_that_a_shell_expands(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/usr/bin/semalign", "basis", f"{Path.home()}/models/mine", "/elsewhere/x"])
    assert command() == "semalign basis ~/models/mine /elsewhere/x"
