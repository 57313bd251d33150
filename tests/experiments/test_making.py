"""All records are made, whatever is wrong with one, and what went wrong is told at the end."""

import gc
import weakref
from typing import NamedTuple

import pytest
import torch

from semalign.experiments import making, work_folder
from semalign.experiments.making import make_all
from semalign.models.finite import NotFiniteError
from semalign.models.memory import TooLargeError


class One(NamedTuple):
    """What a record is of."""

    file_name: str


NAMES = ("a.json", "b.json", "c.json")


@pytest.fixture(autouse=True)
def plain_records(monkeypatch):
    monkeypatch.setattr(work_folder, "write_record", lambda path, record: path.write_text(record["text"]))


def failing(error):
    def run(one, folder):
        if one.file_name == "b.json":
            raise error
        return {"command": "semalign", "text": one.file_name}

    return run


def made(folder, run):
    return make_all(map(One, NAMES), folder, lambda one: "missing", run, "records")


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (ValueError("a pair that does not fit"), "a pair that does not fit"),
        (NotFiniteError("the loss is NaN"), "the loss is NaN"),
        (FloatingPointError("overflow"), "overflow"),
        (torch.linalg.LinAlgError("it is singular"), "it is singular"),
        (torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate 2 GiB"), "CUDA out of memory. Tried to"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), "can't allocate memory"),
        (TooLargeError("a row does not fit"), "a row does not fit"),
    ],
)
def test_what_is_wrong_with_one_stops_no_other_and_is_told_in_one_line(tmp_path, caplog, error, why):
    with pytest.raises(ValueError, match=r"1 records without a record; b: ") as told:
        made(tmp_path, failing(error))
    assert sorted(path.name for path in tmp_path.glob("*.json")) == ["a.json", "c.json"]
    assert why in str(told.value) and "\n" not in str(told.value) and why in caplog.text


@pytest.mark.parametrize("error", [RuntimeError("a mistake in the code"), OSError("the disk is full"), TypeError("x")])
def test_any_other_error_ends_the_run(tmp_path, error):
    with pytest.raises(type(error), match=str(error)):
        made(tmp_path, failing(error))
    assert [path.name for path in tmp_path.glob("*.json")] == ["a.json"]


def test_what_a_failed_run_held_is_given_back_before_the_next(tmp_path, monkeypatch):
    held, alive, forgotten = [], [], []
    monkeypatch.setattr(making, "forget_sources", lambda: forgotten.append(True))

    def run(one, folder):
        alive.extend(reference() is not None for reference in held)
        states = torch.zeros(3)
        held.append(weakref.ref(states))
        raise torch.OutOfMemoryError("CUDA out of memory")

    gc.disable()
    try:
        with pytest.raises(ValueError, match="3 records without a record; a: OutOfMemoryError: CUDA out of memory"):
            made(tmp_path, run)
    finally:
        gc.enable()
    assert alive == [False] * 3 and len(forgotten) == 3


def test_only_what_has_to_be_made_is_written_and_returned(tmp_path):
    def reason(one):
        return None if one.file_name == "b.json" else "missing"

    written = make_all(map(One, NAMES), tmp_path, reason, failing(ValueError("it ran")), "records")
    assert written == [tmp_path / "a.json", tmp_path / "c.json"] == sorted(tmp_path.glob("*.json"))
