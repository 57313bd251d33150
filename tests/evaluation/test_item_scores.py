"""Scores by a task's own functions: what is wrong with one names the task and the item."""

import json

import pytest
import yaml
from helpers.data import SUMS, SUMS_TASK

from semalign.data.tasks import load_task
from semalign.evaluation import item_scores
from semalign.evaluation.journal import read_lines
from semalign.evaluation.run import evaluate
from semalign.sandbox import SandboxError

OWN = """
import numpy as np
import torch
from semalign.sandbox import SandboxError

def score(item, results):
    values = {"1+1": 1, "2+2": %s}
    return {"points": values[item["question"]]}

def whole(item, results):
    return None if item["question"] == "2+2" else {"points": 1}

def other(item, results):
    return {"point": 1}

def pick(answers, items):
    return %s
"""


@pytest.fixture
def scored(model, tmp_path):
    """Return a function that evaluates a model on a task with its own functions."""

    def run(value="1", function="score", picked="answers", **options):
        (tmp_path / "items.jsonl").write_text("".join(json.dumps(item) + "\n" for item in SUMS))
        (tmp_path / "mine.py").write_text(OWN % (value, picked))
        points = {"metric": "points", "aggregation": "mean", "higher_is_better": True}
        metadata = {"version": 1, "primary": "points,all"}
        text = yaml.safe_dump({**SUMS_TASK, "metric_list": [points], "metadata": metadata})
        own = f"process_results: !function mine.{function}\n"
        own += "filter_list:\n- {name: all, filter: [{function: custom, filter_fn: !function mine.pick}]}\n"
        (tmp_path / "sums.yaml").write_text(text + own)
        return evaluate(model, tmp_path / "sums.yaml", **options)

    return run


def test_shares_of_points_are_scores(scored):
    result = scored("0.5")
    assert (result.value, [sample["correct"] for sample in result.samples]) == (75.0, [True, 0.5])


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("7", "points must be a share from 0 to 1, it is 7$"),
        ("-0.1", "points must be a share from 0 to 1, it is -0.1$"),
        ("float('nan')", "points must be one finite number, it is nan$"),
        ("float('inf')", "points must be one finite number, it is inf$"),
        ("None", "points must be one finite number, it is None$"),
        ("'yes'", "points must be one finite number, it is 'yes'$"),
        ("'1'", "points must be one finite number, it is '1'$"),
        ("(1, 2)", r"points must be one finite number, it is \(1, 2\)$"),
        ("1 / 0", r"its scores cannot be computed: ZeroDivisionError at .*/mine\.py:7: division by zero$"),
        ("int('x')", r"its scores cannot be computed: ValueError at .*/mine\.py:7: invalid literal for int"),
    ],
)
def test_a_score_that_is_none_names_task_item_and_line(scored, value, message):
    late = f"{value} if item['question'] == '2+2' else 1"  # the first item is sound
    with pytest.raises(ValueError, match=f"^task sums, item 1: {message}") as error:
        scored(late)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("whole", "item 1: its scores must be a dict with 'points'; they are None$"),
        ("other", "item 0: its scores must be a dict with 'points'; they are {'point': 1}$"),
    ],
)
def test_scores_without_the_one_that_counts_are_told(scored, function, message):
    with pytest.raises(ValueError, match=f"^task sums, {message}"):
        scored(function=function)


@pytest.mark.parametrize(
    ("picked", "message"),
    [
        ("1 / 0", r"its extractions cannot be made: ZeroDivisionError at .*/mine\.py:17: division by zero"),
        ("answers[:1]", "the extraction 'all' gives no answer for item 1: it must return one list of answers for each"),
        ("None", "its extractions cannot be made: TypeError"),
        (
            "[[{1}] for each in answers]",
            r"the extraction 'all' gives \[\{1\}\] for item 0: return text, numbers, lists or",
        ),
        ("[[1], [b'x']]", r"the extraction 'all' gives \[b'x'\] for item 1: .* \(TypeError: JSON has no bytes\)$"),
        (r"[['\ud800'], [1]]", r"the extraction 'all' gives .* for item 0: .* \('utf-8' codec can't encode"),
        ("[[{(1, 2): 3}], [1]]", "the extraction 'all' gives .* for item 0: .*keys must be str"),
    ],
)
def test_an_extraction_that_fails_names_the_task(scored, picked, message):
    with pytest.raises(ValueError, match=f"^task sums: {message}"):
        scored(picked=picked)


def test_numbers_of_numpy_and_torch_are_kept_as_numbers(scored, tmp_path):
    picked = "[[np.int64(3)], [{'a': (np.float32(0.5), np.arange(2), torch.tensor(4), np.bool_(True), None)}]]"
    result = scored(picked=picked, record_path=tmp_path / "record.json")
    found = [3, {"a": [0.5, [0, 1], 4, True, None]}]
    assert [sample["extracted"] for sample in result.samples] == found
    kept = read_lines(tmp_path / "record.samples.jsonl.gz")
    assert [sample["extracted"] for sample in kept] == found


def test_what_is_wrong_with_the_machine_is_not_said_of_the_task(scored):
    with pytest.raises(SandboxError, match=r"^no bwrap$"):
        scored(picked="(_ for _ in ()).throw(SandboxError('no bwrap'))")


def test_the_task_is_as_before(data):
    data("gsm8k", [{"question": "?", "answer": "#### 3"}])
    task = load_task("micro_gsm8k", "test")
    before = {**vars(task)}
    with pytest.raises(ZeroDivisionError), item_scores.checked(task):
        1 / 0  # noqa: B018
    assert vars(task) == before
