"""What a method of the user's own returns: saved if it can be, else told in one line that names the method."""

import copy
import json
import math

import pytest
import torch
from helpers import laten
from helpers.saved_models import save
from peft import LoraConfig, get_peft_model

from semalign.methods import returned
from semalign.methods.registry import Method
from semalign.methods.runner import run_method
from semalign.models.loading import LanguageModel
from semalign.results.records import read_record
from semalign.settings import MethodSettings, TransferSettings
from semalign.training.adaptation import Adapted, Inputs
from semalign.training.lora import add_lora

FAST = {"epochs": 1, "batch_size": 4, "rank": 2}
LOSSES = [{"loss": 2.0}, {"loss": 1.0}]


def own(adapt, settings=MethodSettings):
    return Method("mine", "control", "hu2022lora", "My own.", settings, adapt)


def with_lora(inputs: Inputs):
    return add_lora(inputs.pair.student.model, [1], TransferSettings(rank=2))


def returning(value, settings=MethodSettings):
    """Return a method that gives the student with a LoRA, and else what ``value`` makes of it."""
    return own(lambda inputs: value(with_lora(inputs)), settings)


def made(model, losses, before=None, after=None):
    """Return the result of a method, also with values that its types, which the tests check, do not allow."""
    found = object.__new__(Adapted)
    values = {"model": model, "losses": losses, "details": {}, "before": before or {}, "after": after or {}}
    for name, value in {**values, "trained_on": None}.items():
        object.__setattr__(found, name, value)
    return found


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (lambda model: None, r"must return Adapted\(model, losses\); it returned a NoneType"),
        (lambda model: model, r"must return Adapted\(model, losses\); it returned a PeftModel"),
        (lambda model: made(("model", model), LOSSES), "a model of transformers or PEFT in Adapted, not a tuple"),
        (lambda model: made(model, []), "returned no losses: it must return a list"),
        (lambda model: made(model, None), "returned no losses: it must return a list"),
        (lambda model: made(model, [2.0, 1.0]), "the losses of step 1 must be a dict of numbers; they are 2.0"),
        (lambda model: made(model, [*LOSSES, {"loss": "low"}]), "the losses of step 3 must be a dict of numbers"),
        (lambda model: made(model, [*LOSSES, {"a": 1}]), r"step 3 has other losses than step 1: \(a\) and \(loss\)"),
        (lambda model: made(model, LOSSES, before={"x": 1.0}), r"measure the same; they have \(x\) and \(\)"),
        (lambda model: made(model, LOSSES, after={"x": [1, 2]}), "after must be a dict of numbers"),
    ],
)
def test_what_cannot_be_recorded_is_one_line(teacher, student, rows, tmp_path, value, message):
    with pytest.raises(ValueError, match=f"^method 'mine'.*{message}") as error:
        run_method(returning(value), teacher, student, rows, output_dir=tmp_path / "out")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out" / "adapter_config.json").exists()


def test_losses_without_a_term_of_the_settings_are_told(teacher, student, rows):
    mine = returning(lambda model: Adapted(model, LOSSES), TransferSettings)
    with pytest.raises(ValueError, match=r"TransferSettings.objective cannot add up the losses \(loss\): KeyError"):
        run_method(mine, teacher, student, rows)


def test_tensors_of_one_number_are_losses(teacher, student, rows, unseen):
    mine = returning(lambda model: made(model, [{"loss": torch.tensor(1.5)}], before={"x": 1}, after={"x": 2}))
    record = run_method(mine, teacher, student, rows, validation=unseen).record
    assert record["losses"] == [{"loss": 1.5}] and record["details"]["before"]["x"] == 1.0


def test_details_that_no_record_can_hold_are_left_out_and_the_result_is_saved(teacher, student, rows, tmp_path, caplog):
    circle = []
    circle.append(circle)
    details = {"kept": [1, {"a": "b"}], "nan": math.nan, "tensor": torch.ones(2), "circle": circle, 3: 1}
    mine = returning(lambda model: Adapted(model, LOSSES, {**details, "student_layer": 3, "layer_cosine": 0.5}))
    run_method(mine, teacher, student, rows, output_dir=tmp_path)
    kept = read_record(tmp_path / "record.json")["details"]
    assert kept["kept"] == [1, {"a": "b"}] and kept["nan"] is None
    assert not {"tensor", "circle", "3", "student_layer", "layer_cosine"} & kept.keys()
    assert "its details tensor, circle, 3, student_layer, layer_cosine are left out of the record" in caplog.text
    assert (tmp_path / "adapter_model.safetensors").is_file()
    json.loads((tmp_path / "adapter_config.json").read_text())


def test_what_is_no_number_or_no_text_is_saved_and_told_by_the_card(teacher, student, rows, unseen, tmp_path):
    losses = [{"loss": math.nan, "\ud800|": 1.0}, {"loss": math.inf, "\ud800|": 2.0}]
    mine = returning(lambda model: Adapted(model, losses, {}, {"x": 1.0}, {"x": math.nan}))
    run_method(mine, teacher, student, rows, validation=unseen, output_dir=tmp_path)
    assert read_record(tmp_path / "record.json")["losses"][1] == {"loss": None, r"\ud800|": 2.0}
    card = (tmp_path / "README.md").read_text().splitlines()
    assert "| loss term of the loss, first and last step | not a finite number | not a finite number |" in card
    assert r"| \ud800\| term of the loss, first and last step | 1.0000 | 2.0000 |" in card
    assert "| x on 8 held-out rows | 1.0000 | not a finite number |" in card


def zeroed(model):
    for parameter in model.parameters():
        parameter.data.zero_()
    return model


def trained_a_little(model):
    with torch.no_grad():
        model.get_output_embeddings().weight[0, 0] += 1e-6
    return model


def wrapped(model):
    return get_peft_model(model, LoraConfig(r=2, target_modules=["up_proj"], task_type="CAUSAL_LM"))


@pytest.mark.parametrize("change", [zeroed, trained_a_little, wrapped])
def test_a_student_that_was_changed_itself_is_not_measured_as_before(teacher, student, rows, unseen, change):
    given = LanguageModel(copy.deepcopy(student.model), student.tokenizer)
    mine = own(lambda inputs: Adapted(change(inputs.pair.student.model), LOSSES))
    with pytest.raises(ValueError, match=r"^method 'mine' has changed the student itself, .*: change a copy, such as"):
        run_method(mine, teacher, given, rows, validation=unseen)


def test_a_changed_copy_is_compared_with_the_student_as_it_was(teacher, student, rows, unseen):
    mine = own(lambda inputs: Adapted(zeroed(copy.deepcopy(inputs.pair.student.model)), LOSSES))
    details = run_method(mine, teacher, student, rows, validation=unseen).record["details"]
    assert details["before"]["response_nll"] != details["after"]["response_nll"]


def test_a_student_of_which_only_some_layers_were_read_is_not_called_changed(teacher, student, rows, tmp_path):
    def adapt(inputs):
        model = with_lora(inputs)
        inputs.pair.student_source.release()
        inputs.pair.student_source.load(1)
        return Adapted(model, LOSSES)

    assert run_method(own(adapt), teacher, save(student, tmp_path / "small"), rows).record["method"] == "mine"


@pytest.mark.parametrize("name", ["semalign", "sft", "frontier", "layer-distillation", "seeking", "laten"])
def test_no_method_of_the_package_changes_the_student(teacher, student, rows, name, monkeypatch):
    found, real = [], returned._check_unchanged
    monkeypatch.setattr(returned, "placed", lambda _: with_lora)  # as if it were a method of the user's own
    monkeypatch.setattr(returned, "_check_unchanged", lambda *given: found.append(real(*given)))
    run_method(name, teacher, student, rows, **(laten.FAST if name == "laten" else FAST))
    assert found == [None]
