"""The score of one model as a command: what is printed, what is written, and what is refused first."""

import re
import shutil

import pytest
from helpers.commands import invoke, runner
from helpers.data import GSM8K, write

from semalign import cli
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
    monkeypatch.setattr("semalign.cli.evaluating.with_adapter", lambda *_: pytest.fail("a model was loaded"))
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
