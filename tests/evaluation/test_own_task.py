"""The example of a task file, from the command line to its record."""

import json

import pytest
from typer.testing import CliRunner

from semalign import cli, load_model
from semalign.data.task_file import task_file
from semalign.evaluation.run import evaluate
from semalign.paths import project_root

TASK = project_root() / "examples" / "task" / "arithmetic.yaml"


def test_the_example_is_scored_and_recorded(tmp_path):
    given = ["evaluate", "micro-student", "--task", str(TASK), "--limit", "6", "--out", str(tmp_path)]
    result = CliRunner().invoke(cli.app, given, catch_exceptions=False)
    assert result.exit_code == 0
    record = json.loads((tmp_path / "arithmetic.json").read_text())
    assert (record["task"], record["metric"], record["n"]) == ("arithmetic", "right,number", 6)
    assert record["configuration"]["task_file"] == task_file(TASK).fingerprint
    score = evaluate(load_model("micro-student"), TASK, limit=6)
    assert record["value"] == score.value
    # The number that was taken from each answer, against the right one: the scoring of the example, done by hand.
    numbers = [sample["generation"].replace("#", " ").split()[-1] for sample in score.samples]
    right = [sample["target"].split()[-1] for sample in score.samples]
    assert [sample["correct"] for sample in score.samples] == [a == b for a, b in zip(numbers, right, strict=True)]


@pytest.mark.parametrize(
    ("tasks", "message"), [(["a.yaml"], "no task file"), ([TASK, TASK], "two tasks have the same name")]
)
def test_mistakes_show_before_a_model_is_loaded(tasks, message):
    asked = [part for task in tasks for part in ("--task", str(task))]
    result = CliRunner().invoke(cli.app, ["evaluate", "no-such-model", *asked])
    assert message in f"{result.exception} {' '.join(result.output.split())}"
