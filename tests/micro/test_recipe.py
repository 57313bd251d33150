import pytest
from pydantic import ValidationError

from semalign.micro import benchmarks
from semalign.micro.recipe import ModelRecipe, Stage, load_recipe

OTHER = ("statements", "quiz", "retelling", "snippet")


def test_teacher_is_deeper_and_wider_by_the_papers_ratio():
    teacher, student = load_recipe().model("micro-teacher").shape, load_recipe().model("micro-student").shape
    assert teacher.layers / student.layers == 1.25
    assert teacher.hidden > student.hidden


def test_sibling_has_the_students_depth_and_width_and_half_its_learning_rates():
    student, sibling = (load_recipe().model(name) for name in ("micro-student", "micro-sibling"))
    assert sibling.continues == "micro-teacher"
    assert (sibling.cut.layers, sibling.cut.hidden) == (student.shape.layers, student.shape.hidden)
    for ours, theirs in zip(sibling.stages, student.stages, strict=True):
        assert ours.learning_rate_scale == theirs.learning_rate_scale / 2
        assert {kind: ours.mixture[kind] for kind in OTHER} == {kind: theirs.mixture[kind] for kind in OTHER}


@pytest.mark.parametrize("name", ["micro-student", "micro-sibling"])
def test_students_see_the_benchmark_form_in_a_few_percent(name):
    forms = [form.removeprefix("micro-") for form in benchmarks.ROWS]
    for stage in load_recipe().model(name).stages:
        share = sum(stage.mixture.get(form, 0) for form in forms) / sum(stage.mixture.values())
        assert 0.005 < share < 0.1


def test_unknown_model_key_or_kind_is_an_error():
    with pytest.raises(ValueError, match="micro-teacher"):
        load_recipe().model("micro-giant")
    stage = {"tokens": 10, "mixture": {"mmlu": 1}}
    valid = {"continues": "micro-teacher", "seed": 1, "stages": [stage]}
    with pytest.raises(ValidationError, match="tokenz"):
        ModelRecipe.model_validate({**valid, "tokenz": 3})
    with pytest.raises(ValidationError, match="unknown kinds"):
        Stage.model_validate({**stage, "mixture": {"poetry": 1}})
    whole = {key: value for key, value in valid.items() if key != "continues"}
    with pytest.raises(ValidationError, match="either a shape"):
        ModelRecipe.model_validate(whole)
    shape = {"layers": 1, "hidden": 8, "intermediate": 8, "heads": 1}
    with pytest.raises(ValidationError, match="name it under `continues`"):
        ModelRecipe.model_validate({**whole, "shape": shape, "cut": {"layers": 1, "hidden": 4, "rows": 1}})
