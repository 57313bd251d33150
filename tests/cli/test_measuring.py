"""Scores and comparisons as commands: what is printed, what is written, and what is refused first."""

import json
import re
import shutil

import pandas as pd
import pytest
from helpers.commands import invoke, runner
from helpers.data import GSM8K, write
from helpers.profiles import write_profile

from semalign import cli
from semalign.book import notebooks
from semalign.experiments import runs
from semalign.results import comparisons
from semalign.results.records import read_record


@pytest.fixture
def model(student, root):
    """A folder with a model, and items of two tasks."""
    for name, items in (("gsm8k", [{**GSM8K, "question": f"{i}?"} for i in range(3)]), ("mbpp", [])):
        write(root, f"semalign/micro-{name}/test", items)
    student.model.config.max_position_embeddings = 512
    student.model.float().save_pretrained(root / "model")
    student.tokenizer.save_pretrained(root / "model")
    return root / "model"


def test_evaluate_prints_a_line_and_writes_a_record_with_its_samples(model, tmp_path):
    output = invoke("evaluate", model, "-t", "micro_gsm8k", "--limit", 2, "--out", tmp_path / "scores")
    record = read_record(tmp_path / "scores" / "micro_gsm8k.json")
    low, high = record["interval"]
    expected = f"micro_gsm8k test: {record['metric']} {record['value']:.1f} [{low:.1f}, {high:.1f}], n=2"
    assert expected in output
    assert (record["n"], record["configuration"]["limit"], record["configuration"]["adapter"]) == (2, 2, None)
    assert (tmp_path / "scores" / "micro_gsm8k.samples.jsonl.gz").is_file()
    invoke("evaluate", model, "-t", "micro_gsm8k")
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".json"] == []


def test_a_task_with_a_current_record_is_not_asked_again(model, tmp_path):
    given = "evaluate", model, "-t", "micro_gsm8k", "--out", tmp_path
    first = re.search("micro_gsm8k test: .*", invoke(*given, "--limit", 2))[0]  # behind a progress bar
    path = tmp_path / "micro_gsm8k.json"
    written = path.read_bytes()
    assert invoke(*given, "--limit", 2).strip() == f"{first}, as {path} says" and path.read_bytes() == written
    assert "n=3" in invoke(*given) and path.read_bytes() != written
    path.write_bytes(path.read_bytes()[:100])
    assert "n=3" in invoke(*given) and read_record(path)["n"] == 3


def test_the_record_of_another_model_is_not_replaced(model, tmp_path, monkeypatch):
    given = "-t", "micro_gsm8k", "--out", tmp_path / "scores"
    invoke("evaluate", model, *given)
    written = (tmp_path / "scores" / "micro_gsm8k.json").read_bytes()
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter" / "adapter_config.json").write_text("{}")
    shutil.copytree(model, tmp_path / "other")
    monkeypatch.setattr("semalign.cli.measuring.with_adapter", lambda *_: pytest.fail("a model was loaded"))
    for asked in ([tmp_path / "other", *given], [model, *given, "--adapter", tmp_path / "adapter"]):
        with pytest.raises(ValueError, match=r"micro_gsm8k\.json is the record of 'model': choose another --out"):
            invoke("evaluate", *asked)
    assert (tmp_path / "scores" / "micro_gsm8k.json").read_bytes() == written


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-t", "micro_gsm8k", "-t", "micro_gsm8k"], "two tasks have the same name"),
        (["-t", "micro_gsm8k", "--engine", "onnx"], "'onnx' is not one of transformers, vllm"),
        (["-t", "micro_gsm8k", "--vllm", "dtype=half"], "options of vLLM need its engine: add --engine vllm"),
        (["-t", "micro_gsm8k", "--limit", "0"], "greater than or equal to 1"),
    ],
)
def test_what_cannot_be_evaluated_is_refused(model, arguments, message):
    result = runner.invoke(cli.app, ["evaluate", str(model), *arguments])
    assert result.exit_code == 2
    assert message in " ".join(result.output.replace("│", " ").split())


def test_data_that_is_missing_is_told_before_the_model_is_loaded(model, tmp_path):
    (tmp_path / "config.json").write_text("{}")  # a folder of a model that cannot be loaded
    with pytest.raises(FileNotFoundError, match="no split 'validation' of semalign/micro-gsm8k"):
        invoke("evaluate", tmp_path, "-t", "micro_gsm8k", "--split", "validation")


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
