"""The steps of the paper as commands, on tiny models from disk."""

import json
from typing import get_args

import pytest
from helpers.commands import invoke, runner

from semalign import cli
from semalign.bases.basis import SemanticBasis
from semalign.settings import Aggregation, AttributionMethod
from semalign.targets.attribution import AGGREGATIONS
from semalign.targets.attribution_methods import METHODS


def test_basis(folders):
    output = invoke("basis", folders / "student", "--out", folders / "basis.safetensors")
    assert "93 atoms in 12 dimensions, rank 12 by cholesky, untied head" in output
    assert SemanticBasis.load(folders / "basis.safetensors").side == "output"


def test_attribute_marks_the_critical_layer(folders):
    output = invoke("attribute", folders / "teacher", "--data", folders / "rows.jsonl", "--examples", 3)
    assert output.count("<- critical") == 1
    assert len(output.strip().splitlines()) == 6
    other = ("--interface", "heads", "--method", "ablation", "--aggregation", "signed")
    assert invoke("attribute", folders / "teacher", "--data", folders / "rows.jsonl", "--examples", 3, *other) != output


def test_attribute_takes_what_the_settings_of_a_transfer_take():
    assert set(get_args(AttributionMethod)) == set(METHODS) and get_args(Aggregation) == AGGREGATIONS
    for option, names in (("--method", get_args(AttributionMethod)), ("--aggregation", get_args(Aggregation))):
        refused = runner.invoke(cli.app, ["attribute", "micro-teacher", "--data", "micro_gsm8k", option, "other"])
        assert refused.exit_code == 2 and f"'other' is not one of {', '.join(names)}" in refused.output
        assert all(name in " ".join(invoke("attribute", "--help").split()) for name in names)


def test_pair_takes_models_or_numbers(folders):
    expected = invoke("pair", 5, 4, "--critical", 4)
    assert "teacher layer 5 supervises student layer 4" in expected
    shared = "shared atoms: 93 by bytes, 100.0% of the teacher's 93 and 100.0% of the student's 93\n"
    models = folders / "teacher", folders / "student"
    assert invoke("pair", *models, "--critical", 4) == expected + shared
    covered = "response tokens that are shared atoms: 100.0% of the teacher's and 100.0% of the student's\n"
    assert invoke("pair", *models, "--data", folders / "rows.jsonl").endswith(shared + covered)
    with pytest.raises(AssertionError, match="--data needs two models"):
        invoke("pair", 5, folders / "student", "--data", folders / "rows.jsonl")


def test_transfer_writes_an_adapter_and_a_record(folders):
    output = invoke(
        "transfer", folders / "teacher", folders / "student", "--data", folders / "rows.jsonl",
        "--out", folders / "run",
        "--validation", folders / "rows.jsonl", "--examples", 6, "--set", "epochs=1", "--set", "learning_rate=1e-3",
        "-s", "attribution_examples=2",
    )  # fmt: skip
    assert "student layer" in output
    assert "shared atoms: 93 by bytes, 100.0% of the teacher's 93" in output
    assert "response_nll" in output
    record = json.loads((folders / "run" / "record.json").read_text())
    assert record["configuration"]["learning_rate"] == 1e-3
    assert (record["task"], len(record["losses"])) == ("rows", 1)
    assert (folders / "run" / "adapter_model.safetensors").exists()


FAST = ("--examples", 6, "--set", "epochs=1", "--set", "learning_rate=0.01", "--set", "rank=2")


def test_too_few_rows_are_an_error_and_held_out_ones_do_not_count(folders):
    given = ("transfer", folders / "teacher", folders / "student", "--data", folders / "rows.jsonl")
    n = len((folders / "rows.jsonl").read_text().splitlines())
    message = f"has {n} rows, fewer than {n - 1} to train on and 2 to hold out: ask for fewer"
    with pytest.raises(ValueError, match=message):
        invoke(*given, "--examples", n - 1, "--hold-out", 2, "--out", folders / "few")
    with pytest.raises(ValueError, match=f"has {n} rows, fewer than {n + 1} to train on: ask for fewer"):
        invoke(*given, "--examples", n + 1, "--out", folders / "few")


def test_transfer_takes_a_layer_map_and_several_layers(folders):
    (folders / "map.yaml").write_text("2: 4\n4: 3\n")
    given = ("transfer", folders / "teacher", folders / "student", "--data", folders / "rows.jsonl", *FAST)
    layers = ("--layer-map", folders / "map.yaml", "--set", "student_layers=[4, 2, 1]")
    output = invoke(*given, *layers, "--out", folders / "run")
    for line in ("layer 1 -> student layer 1", "layer 4 -> student layer 2", "layer 3 -> student layer 4"):
        assert f"teacher 1 x {line}\n" in output
    record = json.loads((folders / "run" / "record.json").read_text())
    assert record["configuration"]["layer_map"] == {"2": 4, "4": 3}
    assert len(record["details"]["mean_direction_shares"]) == 3
    with pytest.raises(FileNotFoundError, match=r"no file .*no\.yaml"):
        invoke(*given, "--layer-map", folders / "no.yaml", "--out", folders / "run")


@pytest.mark.slow
def test_transfer_goes_on_from_an_adapter_of_another_layer(folders):
    given = ("transfer", folders / "teacher", folders / "student", "--data", folders / "rows.jsonl", *FAST)
    invoke(*given, "--set", "student_layer=2", "--out", folders / "first")
    invoke(*given, "--set", "student_layer=3", "--adapter", folders / "first", "--out", folders / "both")
    targets = json.loads((folders / "both" / "adapter_config.json").read_text())["target_modules"]
    assert {name.split(".")[2] for name in targets} == {"1", "2"}
    with pytest.raises(FileNotFoundError, match="holds no PEFT adapter"):
        invoke(*given, "--adapter", folders / "rows.jsonl", "--out", folders / "no")


def test_transfer_runs_any_method(folders):
    given = ("transfer", folders / "teacher", folders / "student", "--data", folders / "rows.jsonl", *FAST)
    assert "student layer" not in invoke(*given, "--method", "sft", "--out", folders / "sft")
    assert json.loads((folders / "sft" / "record.json").read_text())["method"] == "sft"
    refused = runner.invoke(cli.app, [*map(str, given), "--method", "stf", "--out", str(folders / "no")])
    assert refused.exit_code == 2 and "no method 'stf': choose from semalign" in refused.output
