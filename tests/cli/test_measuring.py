"""Comparisons as commands: what is printed, what is listed, and what is refused first."""

import json

import pandas as pd
import pytest
from helpers.commands import invoke, runner
from helpers.profiles import write_profile

from semalign import cli
from semalign.book import notebooks
from semalign.experiments import runs
from semalign.results import comparisons


def test_a_comparison_without_pairs_prints_its_scores_alone(tmp_path, monkeypatch):
    write_profile(tmp_path, teachers={})
    scores = pd.DataFrame({"method": ["sft"], "value": [47.123]})
    monkeypatch.setattr(runs, "run", lambda *_: [])
    monkeypatch.setattr(runs, "summary", lambda *_: scores)
    monkeypatch.setattr(comparisons, "differences", lambda *_, **__: scores.iloc[:0])
    output = invoke("compare", "--profile", tmp_path / "tiny.yaml", "--out", tmp_path / "none")
    assert output.split() == ["method", "value", "sft", "47.12"]


def test_a_dry_run_lists_every_missing_record(tmp_path):
    write_profile(tmp_path, teachers={})
    asked = ["compare", "--profile", tmp_path / "tiny.yaml", "--out", tmp_path / "none", "--dry-run"]
    lines = invoke(*asked, "--methods", "sft", "--seeds", 3).strip().splitlines()
    models = ["none--student--micro_gsm8k", "none--teacher--micro_gsm8k"]
    names = [*models, *(f"sft--teacher--student--micro_gsm8k--{seed}" for seed in range(3))]
    assert sorted(line.replace(str(tmp_path).replace("/", "_") + "_", "") for line in lines) == [
        f"{name}.json: missing" for name in names
    ]
    assert not (tmp_path / "none").exists()


def test_a_notebook_that_raised_ends_the_command_with_its_message(monkeypatch, capsys):
    def failing(profile, only, force):
        raise notebooks.NotebookError(json.dumps([profile, only, force]))

    monkeypatch.setattr(notebooks, "run_notebooks", failing)
    monkeypatch.setattr("sys.argv", "semalign run --profile small --only 03 --force".split())
    with pytest.raises(SystemExit) as stopped:
        cli.entry_point()
    assert stopped.value.code == 1 and capsys.readouterr().err == 'semalign: ["small", ["03"], true]\n'


def test_a_record_that_a_profile_does_not_have_is_an_error_of_usage():
    asked = ["--profile", "micro-tuned", "--only", "sft--micro-teacher--micro-student--micro_mbp--0"]
    for verb in ("compare", "select"):
        result = runner.invoke(cli.app, [verb, *asked, "--dry-run"])
        assert result.exit_code == 2
        assert "no record" in result.output


def test_a_point_of_a_grid_that_is_not_whole_chooses_nothing(monkeypatch):
    from semalign.experiments import selection

    monkeypatch.setattr(selection, "select", lambda *_, **__: pd.DataFrame(columns=["task", "variant", "point"]))
    point = "micro_gsm8k--sft--learning_rate=0.001"
    assert invoke("select", "--profile", "micro-tuned", "--only", point).startswith(
        "no choice yet: every method and variant"
    )
