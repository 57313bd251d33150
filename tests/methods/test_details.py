"""Details of a run record: what a record can hold, and names that records use themselves."""

import json
import math
from decimal import Decimal

import pytest
from pydantic_core import to_json

from semalign.methods.details import METRICS, TAKEN, recordable
from semalign.methods.runner import run_method

FAST = {"epochs": 1, "batch_size": 4, "rank": 2}
PAIRS = {"pairs": [[[[3, 0.5], [4, 0.5]], 2]]}


def test_details_are_what_json_makes_of_them():
    details = {"a": (1, 2.5), "b": {3: math.nan}, "c": Decimal("0.5"), "d": None, "e": (n for n in (1, 2))}
    found = recordable(details)
    assert found == {"a": [1, 2.5], "b": {"3": None}, "c": "0.5", "d": None, "e": [1, 2]}
    assert json.loads(to_json(found)) == found == recordable(found)


@pytest.mark.parametrize("value", [object(), "\ud800", {"\ud800": 1}, [10**5000], [{1: object()}]])
def test_what_json_cannot_hold_is_left_out(value):
    assert recordable({"value": value, "other": 1, 3: 4}) == {"other": 1}


def test_names_that_a_run_uses_are_left_out():
    assert {"steps", "weight_change", "held_out", "before", "after", "types", "base", "files"} <= TAKEN
    assert recordable(dict.fromkeys(TAKEN, 1) | {"mine": 1}) == {"mine": 1}


def test_the_names_are_those_that_a_run_gives(teacher, student, rows, unseen, tmp_path):
    given = run_method("sft", teacher, student, rows, validation=[rows[0], *unseen], output_dir=tmp_path, **FAST)
    details = json.loads((tmp_path / "record.json").read_text())["details"]
    assert details.keys() - {"adapter_parameters"} == TAKEN and given.record["metric"] in METRICS
    assert run_method("sft", teacher, student, rows, **FAST).record["metric"] in METRICS


@pytest.mark.parametrize(
    ("details", "wrong"),
    [
        ({"layer_cosine": {"before": 0.5, "after": 1.0}}, False),
        ({"layer_cosine": {"before": 0.5, "after": 1.2}}, True),
        ({"layer_cosine": {"before": 0.5, "after": math.nan}}, True),
        ({"layer_cosine": 0.5}, True),
        (PAIRS, False),
        ({"student_layer": 2, "teacher_layers": [[3, 1.0]]}, False),
        ({"teacher_layers": [3, 4]}, False),
        ({"student_layer": 2}, True),
        ({"pairs": {"before": 1, "after": 2}}, True),
        ({"pairs": [[[[3, math.nan]], 2]]}, True),
        ({"pairs": [[[[3, Decimal("0.5")]], 2]]}, True),
        ({"correct": "0101"}, False),
        ({"correct": "0101", "scores": {"acc": 1}}, False),
        ({"correct": "0101", "scores": {"response_nll": 1}}, True),
        ({"correct": "0101", "scores": 5}, True),
    ],
)
def test_names_of_records_hold_what_records_read(details, wrong):
    """What is wrong under one name costs nothing under another one."""
    other = {"mine": 1, **({} if "layer_cosine" in details else {"layer_cosine": {"before": 0.5, "after": 0.75}})}
    assert recordable({**details, **other}) == (other if wrong else {**details, **other})
