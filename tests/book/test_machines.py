"""Devices and versions of records, and differences of those that were made twice, on records made by hand."""

import pytest

from semalign.book.machines import made_again, made_on
from semalign.results.records import make_record, write_record


@pytest.fixture
def record(tmp_path):
    def write(name, device, value):
        given = dict.fromkeys(("method", "student", "task", "metric"), "x")
        hashes = {"teacher": None, "student": None, "data": "x"}
        made = make_record(
            **given, teacher=None, seed=0, value=value, n=1, configuration={}, fingerprints=hashes, seconds=1.0,
            device=device, versions={"torch": "2.0"} if device == "cpu" else {},
        )  # fmt: skip
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write_record(tmp_path / name, made)
        return tmp_path / name

    return write


def test_records_are_counted_by_device_and_version(record):
    paths = [record("a/1.json", "GPU 9", 1.0), record("a/2.json", "cpu", 1.0), record("a/3.json", "cpu", 1.0)]
    assert made_on(paths) == "2 on a CPU by PyTorch 2.0, 1 on GPU 9 by PyTorch of unknown version"
    assert made_on([]) == "none"


def test_the_largest_difference_of_records_that_were_made_twice(record, tmp_path):
    assert made_again(tmp_path / "b", tmp_path / "a") == "none was made again"
    for name, first, second in (("1", 1.0, 1.25), ("2", 2.0, 1.5)):
        record(f"a/{name}.json", "cpu", first)
        record(f"b/{name}.json", "GPU 9", second)
    told = "2 made again on GPU 9 by PyTorch of unknown version differ by at most 5e-01"
    assert made_again(tmp_path / "b", tmp_path / "a") == told
