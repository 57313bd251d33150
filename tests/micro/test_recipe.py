import pytest
from pydantic import ValidationError

from semalign.micro.corpus import BENCHMARK_FORMS
from semalign.micro.recipe import ModelRecipe, Stage, load_recipe


def test_teacher_is_deeper_and_wider_by_the_papers_ratio():
    teacher, student = load_recipe().model("micro-teacher").shape, load_recipe().model("micro-student").shape
    assert teacher.layers / student.layers == 1.25
    assert teacher.hidden > student.hidden


def test_student_sees_the_benchmark_form_in_about_one_percent():
    for stage in load_recipe().model("micro-student").stages:
        share = sum(stage.mixture.get(kind, 0) for kind in BENCHMARK_FORMS) / sum(stage.mixture.values())
        assert 0.005 < share < 0.05


def test_unknown_model_key_or_kind_is_an_error():
    with pytest.raises(ValueError, match="micro-teacher"):
        load_recipe().model("micro-giant")
    stage = {"tokens": 10, "mixture": {"mmlu": 1}}
    valid = {"continues": "micro-teacher", "seed": 1, "stages": [stage]}
    with pytest.raises(ValidationError, match="tokenz"):
        ModelRecipe.model_validate({**valid, "tokenz": 3})
    with pytest.raises(ValidationError, match="unknown kinds"):
        Stage.model_validate({**stage, "mixture": {"poetry": 1}})
    with pytest.raises(ValidationError, match="either a shape"):
        ModelRecipe.model_validate({key: value for key, value in valid.items() if key != "continues"})
