"""What a record says of its training: ranges, columns, and whether anything was trained."""

import pytest
from pydantic import ValidationError

from semalign.results.training import UNMOVED, Training, training_of

NLL = {"before": 0.5, "after": 0.495, "low": 0.45, "high": 0.55, "n": 2, "split": "validation", "row_nll": [0.4, 0.6]}
DETAILS = {"steps": 80, "weight_change": 0.004, "layer_cosine": {"before": 0.08, "after": 0.11}, "held_out": NLL}


def test_the_columns_are_the_numbers_of_the_record():
    assert Training(**DETAILS).columns() == {
        "steps": 80, "weight_change": 0.004, "layer_cosine_before": 0.08, "layer_cosine_after": 0.11,
        "nll_before": 0.5, "nll_after": 0.495, "trained": False,
    }  # fmt: skip


def test_a_record_without_a_training_has_empty_columns():
    columns = training_of({"details": {"scores": {}, "correct": "01"}}).columns()
    assert columns.keys() == Training(**DETAILS).columns().keys() and set(columns.values()) == {None}


@pytest.mark.parametrize(
    ("after", "change", "trained"),
    [
        (0.495, 0.004, False),
        (0.509, UNMOVED - 1e-9, False),
        (0.511, 0.004, True),  # it has learnt something, or lost it
        (0.489, 0.004, True),  # however wide the interval of the student's own likelihood is
        (0.5, UNMOVED, True),  # the weights are others, whatever the rows show
    ],
)
def test_nothing_was_trained_if_neither_likelihood_nor_weights_have_moved(after, change, trained):
    details = {**DETAILS, "weight_change": change, "held_out": {**NLL, "after": after}}
    assert Training(**details).trained is trained


def test_without_held_out_rows_or_weights_nothing_is_said():
    assert Training(**{**DETAILS, "held_out": {**NLL, "low": None, "high": None}}).trained is False  # one row
    assert Training(**{**DETAILS, "held_out": None}).trained is None
    assert Training(**{**DETAILS, "weight_change": None}).trained is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": -1},
        {"weight_change": -0.1},
        {"weight_change": float("inf")},
        {"layer_cosine": {"before": 0.1, "after": 1.1}},
        {"layer_cosine": {"before": 0.1}},
        {"held_out": {**NLL, "after": -0.1}},
        {"held_out": {**NLL, "n": 0}},
        {"held_out": {key: value for key, value in NLL.items() if key != "split"}},
    ],
)
def test_a_number_that_cannot_be_is_refused(wrong):
    with pytest.raises(ValidationError):
        Training(**{**DETAILS, **wrong})
