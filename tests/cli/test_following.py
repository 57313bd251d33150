"""The commands that follow trainings: what they ask for, and usage errors before any work."""

import json

import pandas as pd
import pytest
from helpers.commands import invoke, runner

from semalign import cli
from semalign.experiments import curves, sweep
from semalign.experiments.grids import points
from semalign.experiments.profiles import load_profile


@pytest.fixture
def asked(monkeypatch):
    found = []
    monkeypatch.setattr(curves, "run", lambda wanted: found.append(wanted) or pd.DataFrame({"step": [0]}))
    return found


def test_curves_of_the_default_entries_with_one_seed(asked):
    invoke("curves", "--profile", "micro")
    (wanted,) = asked
    assert wanted.profile.seeds == [0] and wanted.names is None and len(wanted.profile.tasks) == 4
    assert (wanted.steps, wanted.scored) == (curves.STEPS, curves.SCORED)


def test_entries_tasks_and_steps_can_be_chosen(asked, tmp_path):
    chosen = ["--methods", "semalign,sft", "--task", "micro_gsm8k", "--seeds", 2, "--steps", "80,0,15"]
    invoke("curves", *chosen, "--out", tmp_path)
    (wanted,) = asked
    assert wanted.names == ["semalign", "sft"] and list(wanted.profile.tasks) == ["micro_gsm8k"]
    assert (wanted.steps, wanted.scored, wanted.profile.seeds) == ((0, 15, 80), (0, 15, 80), [0, 1])
    assert wanted.place == tmp_path


def test_the_student_as_it_was_may_be_scored_alone(asked):
    invoke("curves", "--steps", "0,15", "--scored", "0")
    assert (asked[0].steps, asked[0].scored) == ((0, 15), (0,))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--steps", "0,x"], "give numbers of steps"),
        (["--steps", "0"], "step 0 is before the training: give a later one too"),
        (["--steps", "0,15", "--scored", "80"], "step 80 is scored but not among"),
        (["--task", "mmlu"], "no task 'mmlu'"),
        (["--methods", "semalin"], "no method or variant"),
    ],
)
def test_wrong_options_are_usage_errors(asked, arguments, message):
    result = runner.invoke(cli.app, ["curves", *arguments])
    assert result.exit_code == 2 and message in " ".join(result.output.replace("│", " ").split()) and not asked


def test_a_dry_run_lists_what_is_missing(tmp_path):
    listed = invoke("curves", "--profile", "micro-sibling", "-t", "micro_mmlu", "--out", tmp_path, "--dry-run")
    assert "semalign--micro-teacher--micro-sibling--micro_mmlu--0.json: missing" in listed
    listed = invoke("sweep", "--profile", "micro-sibling-depth", "--out", tmp_path, "--dry-run").splitlines()
    assert len(listed) == 160 and all(line.endswith(": missing") for line in listed)


def test_a_dry_run_tells_of_a_point_that_its_method_refuses(tmp_path):
    content = {"teacher": "micro-teacher", "student": "micro-student", "tasks": {"micro_mmlu": {}}}
    (tmp_path / "mine.yaml").write_text(json.dumps({**content, "selection": {"sft": {"rank": [2, 0]}}}))
    result = runner.invoke(cli.app, ["sweep", "--profile", str(tmp_path / "mine.yaml"), "--dry-run"])
    assert isinstance(result.exception, ValueError)
    assert "selection of sft: rank: Input should be greater than or equal to 1" in str(result.exception)


def test_a_sweep_may_be_restricted_to_a_point(monkeypatch, tmp_path):
    found = []
    monkeypatch.setattr(sweep, "run", lambda *given: found.append(given[1:]) or pd.DataFrame())
    name = points(load_profile("micro-depth"))[3].file_name.removesuffix(".json")
    invoke("sweep", "--only", name, "--out", tmp_path)
    assert found == [(tmp_path, [name])]
    result = runner.invoke(cli.app, ["sweep", "--only", "other"])
    assert result.exit_code == 2 and "no record 'other'" in " ".join(result.output.replace("│", " ").split())
