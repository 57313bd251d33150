"""The numbers that a run record can have."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from semalign.results.records import make_record
from semalign.results.schema import RunRecord

RESULTS = Path(__file__).parents[2] / "data" / "results"
RUN = {
    "method": "sft", "teacher": None, "student": "s", "task": "t", "seed": 0,
    "metric": "exact_match,strict", "value": 50.0, "n": 4, "interval": (10.0, 90.0), "seconds": 1.0,
    "configuration": {}, "fingerprints": {}, "details": {"scores": {"exact_match,strict": 50.0}, "correct": "0110"},
}  # fmt: skip


def details(correct, metric="exact_match,strict"):
    return {"details": {"scores": {metric: 0.0}, "correct": correct}}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"value": 100.1, "interval": None}, "a value of 100.1 is outside the range of the metric, 0 to 100"),
        ({"value": -0.1, "interval": None}, "outside the range of the metric, 0 to 100"),
        ({"metric": "acc,none", "value": 101.0, "interval": None}, "outside the range of the metric"),
        ({"metric": "pass@1,strict", "value": 5000.0, "interval": None}, "outside the range of the metric"),
        ({"metric": "response_nll", "value": -1.0, "interval": None}, "outside the range of the metric, 0 to inf"),
        ({"metric": "resultant_cosine, output", "value": 1.1, "interval": None}, "the range of the metric, -1 to 1"),
        ({"value": 9.0}, "a value of 9 is outside its interval, 10 to 90"),
        ({"interval": (90.0, 10.0)}, "outside its interval, 90 to 10"),
        ({"interval": (float("nan"), 90.0)}, "outside its interval, nan to 90"),
        ({"interval": (-5.0, 90.0)}, "a value of -5 is outside the range of the metric, 0 to 100"),
        ({"interval": (10.0, 150.0)}, "a value of 150 is outside the range of the metric"),
        ({"n": 0}, "a value of 50 from 0 items"),
        ({"n": -1}, "greater than or equal to 0"),
        ({"n": 5}, r"a value of 50 from 5 items; details\.correct gives 50 from 4"),
        (details("0111"), r"a value of 50 from 4 items; details\.correct gives 75 from 4"),
        (details([0.5, 0.5, 0.5, 1.0]), r"details\.correct gives 62\.5 from 4"),
        (details("01x0"), "holds no flag for each item"),
        (details([]), "holds no flag for each item"),
        (details(3), "holds no flag for each item"),
        ({"seconds": float("inf")}, "seconds"),
        ({"seconds": -1.0}, "seconds"),
        ({"status": "failed"}, "'done'"),
    ],
)
def test_a_number_that_cannot_be_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        make_record(**{**RUN, **changes})


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"value": None},
        {"value": 50.0 + 1e-9, "interval": (50.0 + 1e-8, 90.0)},
        {"metric": "training_loss", "value": -3.0, "interval": None},  # a loss of the user's own may be negative
        {"metric": "bleu,none", "value": 5000.0, "interval": None},  # the range of that is not known here
        details([0.25, 0.75, 1.0, 0.0]),
        details("1111", metric="another"),
        {"details": {"correct": "0110", "scores": None}},
    ],
)
def test_other_numbers_are_not(changes):
    make_record(**{**RUN, **changes})


def test_a_number_that_is_none_is_no_record_of_its_own():
    record = make_record(**RUN)
    with pytest.raises(ValidationError, match="finite"):
        RunRecord.model_validate({**record, "value": float("nan")})


def test_every_committed_record_can_be():
    records = [json.loads(path.read_text()) for path in RESULTS.rglob("*.json") if path.parent.name != "speed"]
    assert len(records) > 800
    for record in records:
        RunRecord.model_validate({key: value for key, value in record.items() if key != "checksum"})
