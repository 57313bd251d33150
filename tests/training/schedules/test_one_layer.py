"""The paper's schedule: the paired layers train at once, and held-out rows are measured under the same maps."""

import pytest
import torch

from semalign.models.pair import Pair
from semalign.settings import TransferSettings
from semalign.training.adaptation import Inputs
from semalign.training.schedules.one_layer import steer

FAST = {"epochs": 2, "batch_size": 6, "rank": 2, "learning_rate": 1e-2}


def run(teacher, student, rows, held_out=(), **settings):
    return steer(Inputs(Pair(teacher, student), rows, held_out, TransferSettings(**FAST, **settings)))


def layers_of(model):
    return {name.split("layers.")[1][0] for name, p in model.named_parameters() if p.requires_grad}


def test_one_pair_is_told_with_its_attribution(teacher, student, rows):
    adapted = run(teacher, student, rows, student_layer=2, teacher_layer=3)
    share = adapted.details.pop("mean_direction_share")
    parameters = 2 * 2 * ((12 + 24) + (12 + 12))
    whole = {"atoms": 93, "share": 1.0, "coverage": 1.0}
    vocabulary = {"by": "bytes", "shared": 93, "teacher": whole, "student": whole}
    assert adapted.details == {
        "teacher_layers": [[3, 1.0]], "student_layer": 2, "attribution": None, "adapter_parameters": parameters,
        "vocabulary": vocabulary,
    }  # fmt: skip
    assert 0 < share <= 1 and len(adapted.losses) == 2 * 2 and layers_of(adapted.model) == {"1"}
    assert adapted.before == adapted.after == {}
    attributed = run(teacher, student, rows, attribution_examples=3)
    scores = attributed.details["attribution"]
    assert len(scores) == 5 and layers_of(attributed.model) == {str(attributed.details["student_layer"] - 1)}


def test_several_pairs_train_together(teacher, student, rows):
    adapted = run(teacher, student, rows, student_layers=[4, 2])
    assert [k for _, k in adapted.details["pairs"]] == [2, 4]
    assert len(adapted.details["mean_direction_shares"]) == 2
    assert layers_of(adapted.model) == {"1", "3"}


@pytest.mark.parametrize("kind", ["semantic", "ridge"])
def test_held_out_rows_are_measured_before_and_after_under_the_map_of_the_training_rows(teacher, student, rows, kind):
    chosen = {"student_layer": 2, "teacher_layer": 3, "map": kind, "seed": 1}
    measured = run(teacher, student, rows[:8], rows[8:], **chosen)
    assert (
        measured.before.keys()
        == measured.after.keys()
        == {"layer_cosine", "output_cosine"} | (measured.after.keys() - {"layer_cosine", "output_cosine"})
    )
    assert measured.after["layer_cosine"] > measured.before["layer_cosine"]
    alone = run(teacher, student, rows[:8], **chosen)
    assert alone.losses == measured.losses  # to measure changes nothing
    fitted_elsewhere = run(teacher, student, rows[:4], rows[8:], **chosen)
    same = fitted_elsewhere.before["layer_cosine"] == pytest.approx(measured.before["layer_cosine"], rel=1e-9)
    assert same == (kind == "semantic")  # a fitted map is that of the training rows


def test_the_student_stays_as_it_was(teacher, student, rows):
    before = {name: value.clone() for name, value in student.model.state_dict().items()}
    run(teacher, student, rows, student_layer=2)
    assert all(torch.equal(value, before[name]) for name, value in student.model.state_dict().items())
