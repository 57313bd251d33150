"""The record of a run: what is refused before the training, and the value, of any method."""

import logging
import math

import pytest
import torch

import semalign
from semalign.methods.registry import Method
from semalign.methods.runner import run_method
from semalign.models.finite import NotFiniteError
from semalign.results.records import read_record
from semalign.settings import MethodSettings, TransferSettings
from semalign.training.adaptation import Adapted
from semalign.training.lora import add_lora

FAST = {"epochs": 2, "batch_size": 4, "rank": 2, "attribution_examples": 3}
LOSSES = [{"loss": 2.0}, {"loss": 1.0}]


def with_lora(inputs):
    return add_lora(inputs.pair.student.model, [1], TransferSettings(rank=2))


def own(adapt, settings=MethodSettings, name="mine"):
    return Method(name, "control", "hu2022lora", "My own.", settings, adapt)


def test_the_record_says_what_was_done(teacher, student, rows, unseen, tmp_path):
    result = semalign.transfer(teacher, student, rows, output_dir=tmp_path, validation=unseen[:2], seed=3, **FAST)
    record = read_record(tmp_path / "record.json")
    assert record["details"].pop("files").keys() == {"README.md", "adapter_config.json", "adapter_model.safetensors"}
    assert record == result.record
    assert (record["method"], record["seed"], record["metric"], record["n"]) == ("semalign", 3, "response_nll", 2)
    assert record["configuration"]["rank"] == 2
    assert record["configuration"]["learning_rate"] == 3e-4
    assert len(record["losses"]) == 2 * 3
    details = record["details"]
    assert len(details["attribution"]) == 5
    critical = 1 + details["attribution"].index(max(details["attribution"]))
    k = semalign.pairing.student_layer(critical, 5, 4)
    assert details["student_layer"] == k
    assert details["teacher_layers"] == [[semalign.pairing.teacher_layer(k, 5, 4), 1.0]]
    assert 0 < details["mean_direction_share"] <= 1
    assert record["value"] == details["after"]["response_nll"] != details["before"]["response_nll"]
    assert record["fingerprints"].keys() == {"teacher", "student", "data"}
    assert record["peak_memory_bytes"] > 1e6


def test_without_held_out_rows_the_value_is_the_weighted_objective(teacher, student, rows):
    record = semalign.transfer(teacher, student, rows, layer_weight=0.25, output_weight=2.0, **FAST).record
    last = record["losses"][-1]
    assert record["metric"] == "training_loss"
    assert record["value"] == pytest.approx(0.25 * last["layer"] + 2.0 * last["output"])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"name": 3}, "method: input should be a valid string"),
        ({"task": "a\udce9"}, "UnicodeEncodeError"),
    ],
)
def test_what_no_record_can_hold_is_refused_before_the_training(teacher, student, rows, changed, message):
    mine = own(lambda inputs: pytest.fail("long work has begun"), name=changed.get("name", "mine"))
    with pytest.raises(ValueError, match=f"is not a run record; .*{message}"):
        run_method(mine, teacher, student, rows, task=changed.get("task", "own data"))


@pytest.mark.parametrize(
    ("loss", "value"), [(None, None), (torch.tensor(2.5), 2.5), (torch.tensor(math.nan), None), (math.inf, None)]
)
def test_the_objective_may_be_anything_that_is_a_number(teacher, student, rows, loss, value):
    class Own(MethodSettings):
        def objective(self, terms):
            return loss

    record = run_method(own(lambda inputs: Adapted(with_lora(inputs), LOSSES), Own), teacher, student, rows).record
    assert (record["metric"], record["value"], record["n"]) == ("training_loss", value, len(rows))


def test_a_student_that_is_not_finite_is_no_result(teacher, student, rows):
    def adapt(inputs):
        model = with_lora(inputs)
        next(p for p in model.parameters() if p.requires_grad).data.fill_(math.nan)
        return Adapted(model, LOSSES)

    with pytest.raises(
        NotFiniteError, match=r"^\S*lora_\S* of the adapted student holds NaN or infinity: the training"
    ):
        run_method(own(adapt), teacher, student, rows)


@pytest.mark.parametrize("name", sorted(("steps", "held_out", "held_out_seen", "types", "files", "pairs", "base")))
def test_a_measurement_may_have_a_name_that_records_use(teacher, student, rows, unseen, tmp_path, caplog, name):
    """It stands in ``before`` and ``after``, where nothing else has its name."""
    caplog.set_level(logging.WARNING, "semalign")
    measured = {"before": {name: 1.0, "mine": 3.0}, "after": {name: 2.0, "mine": 4.0}}
    mine = own(lambda inputs: Adapted(with_lora(inputs), LOSSES, **measured))
    run_method(mine, teacher, student, rows, validation=unseen, output_dir=tmp_path)
    details = read_record(tmp_path / "record.json")["details"]
    plain = own(lambda inputs: Adapted(with_lora(inputs), LOSSES))
    expected = run_method(plain, teacher, student, rows, validation=unseen).record["details"]
    assert f"method 'mine': what it measured as {name} stands under before and after alone" in caplog.text
    assert details["mine"] == {"before": 3.0, "after": 4.0}
    assert (details["before"][name], details["after"][name]) == (1.0, 2.0)
    assert details.get(name) == expected.get(name) or name == "files"
    assert f"| {name} on 8 held-out rows | 1.0000 | 2.0000 |" in (tmp_path / "README.md").read_text()


@pytest.mark.parametrize("after", [math.nan, 1.2])
def test_a_layer_cosine_that_is_none_is_a_measurement_like_others(teacher, student, rows, unseen, after):
    measured = {"before": {"layer_cosine": 0.5}, "after": {"layer_cosine": after}}
    mine = own(lambda inputs: Adapted(with_lora(inputs), LOSSES, **measured))
    details = run_method(mine, teacher, student, rows, validation=unseen).record["details"]
    assert "layer_cosine" not in details and details["before"]["layer_cosine"] == 0.5
    assert details["after"]["layer_cosine"] == (None if math.isnan(after) else after)


def test_details_with_a_name_that_the_run_uses_are_told(teacher, student, rows, unseen, caplog):
    caplog.set_level(logging.WARNING, "semalign")
    details = {"types": 1, "before": 2, "steps": 5, "held_out_seen": 3, "cosine": 4, "mine": 6}
    measured = {"before": {"cosine": 0.25}, "after": {"cosine": 0.5}}
    mine = own(lambda inputs: Adapted(with_lora(inputs), LOSSES, details, **measured))
    found = run_method(mine, teacher, student, rows, validation=unseen).record["details"]
    assert "its details types, before, steps, held_out_seen, cosine are left out of the record" in caplog.text
    assert (found["steps"], found["mine"], found["cosine"]) == (2, 6, {"before": 0.25, "after": 0.5})
    alone = run_method(own(lambda inputs: Adapted(with_lora(inputs), LOSSES, details)), teacher, student, rows).record
    assert alone["details"]["cosine"] == 4
