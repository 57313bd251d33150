"""Rows that do not fit their task: none is scored or trained on, and each gets a line with file, row and column."""

import json
import math

import pytest
import yaml
from helpers.data import GSM8K, HUMANEVAL, MBPP, MMLU, write
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from semalign import cli
from semalign.data import tasks, training_rows
from semalign.data.row_files import Rows
from semalign.data.task_file import task_file, task_names
from semalign.data.task_items import check_items, columns_of

ROW = {"gsm8k": GSM8K, "mmlu": MMLU, "humaneval": HUMANEVAL, "mbpp": MBPP}
ARC = {
    "dataset_path": "json",
    "dataset_kwargs": {"data_files": {"test": "items.jsonl"}},
    "test_split": "test",
    "output_type": "multiple_choice",
    "doc_to_text": "{{question}}\nAnswer:",
    "doc_to_choice": "{{choices.text}}",
    "doc_to_target": "{{choices.label.index(answerKey)}}",
    "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
    "metadata": {"version": 1, "primary": "acc,none"},
}
ARC_ROW = {"question": "Wet?", "choices": {"text": ["rain", "sun", "sand"], "label": ["A", "B", "C"]}, "answerKey": "B"}


def without(row, column):
    return {key: value for key, value in row.items() if key != column}


def renamed(row, column, name):
    return {name if key == column else key: value for key, value in row.items()}


BAD = [
    ("gsm8k", without(GSM8K, "answer"), "no column 'answer', only question"),
    ("gsm8k", renamed(GSM8K, "answer", "solution"), "no column 'answer', only question, solution"),
    ("gsm8k", renamed(GSM8K, "answer", "label"), "no column 'answer', only question, label"),
    ("gsm8k", renamed(GSM8K, "question", "problem"), "no column 'question', only problem, answer"),
    ("gsm8k", {**GSM8K, "answer": None}, r"column 'answer' has no value \(None\)"),
    ("gsm8k", {**GSM8K, "answer": math.nan}, r"column 'answer' has no value \(nan\)"),
    ("gsm8k", {**GSM8K, "answer": 29}, r"column 'answer' must be text with /#### .*it is 29"),
    ("gsm8k", {**GSM8K, "answer": "29"}, "column 'answer' must be text with /#### .*it is '29'"),
    ("gsm8k", {**GSM8K, "answer": ""}, "column 'answer' must be text with"),
    ("gsm8k", {**GSM8K, "question": 5}, "column 'question' must be text, it is 5"),
    ("mmlu", without(MMLU, "answer"), "no column 'answer'"),
    ("mmlu", renamed(MMLU, "answer", "label"), "no column 'answer', only question, subject, choices, label"),
    ("mmlu", {**MMLU, "answer": -1}, "the answer -1 is none of A, B, C, D and no number from 0 to 3"),
    ("mmlu", {**MMLU, "answer": 4}, "the answer 4 is none of A, B, C, D"),
    ("mmlu", {**MMLU, "answer": "2"}, "column 'answer' must be a whole number, it is '2'"),
    ("mmlu", {**MMLU, "answer": 2.0}, "column 'answer' must be a whole number"),
    ("mmlu", {**MMLU, "answer": True}, "column 'answer' must be a whole number"),
    ("mmlu", {**MMLU, "answer": None}, "column 'answer' has no value"),
    ("mmlu", {**MMLU, "choices": ["a", "b", "c"]}, "UndefinedError: list object has no element 3"),
    ("mmlu", {**MMLU, "choices": list("abcde")}, "column 'choices' has 5 choices, the task asks for 4"),
    ("mmlu", {**MMLU, "choices": ["a", "b", None, "d"]}, "column 'choices' must be a list of texts"),
    ("mmlu", {**MMLU, "choices": "abcd"}, "column 'choices' must be a list of texts, it is 'abcd'"),
    ("mmlu", {**MMLU, "subject": None}, "column 'subject' has no value"),
    ("humaneval", without(HUMANEVAL, "test"), "no column 'test'"),
    ("humaneval", without(HUMANEVAL, "entry_point"), "no column 'entry_point'"),
    ("humaneval", {**HUMANEVAL, "entry_point": "a b"}, "column 'entry_point' must be the name of a function"),
    ("humaneval", {**HUMANEVAL, "canonical_solution": None}, "column 'canonical_solution' has no value"),
    ("humaneval", {**HUMANEVAL, "canonical_solution": ""}, "the right answer is empty"),
    ("mbpp", renamed(MBPP, "text", "prompt"), "no column 'text', only task_id, prompt"),
    ("mbpp", renamed(MBPP, "test_setup_code", "test_imports"), "no column 'test_setup_code'"),
    ("mbpp", {**MBPP, "test_list": "assert add(1, 2) == 3"}, "column 'test_list' must be a list of texts"),
    ("mbpp", {**MBPP, "test_list": []}, "column 'test_list' must be a list of texts"),
    ("mbpp", {**MBPP, "code": 3}, "column 'code' must be text, it is 3"),
]  # fmt: skip


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize(("name", "row", "message"), BAD)
def test_a_row_that_does_not_fit_a_bundled_task_is_named(root, name, row, message, first):
    rows = [row, ROW[name]] if first else [ROW[name], row]
    task, line = f"micro_{name}", 1 if first else 2
    for split in ("test", "train"):
        write(root, f"semalign/micro-{name}/{split}", rows)
    for asked, split in (
        (lambda: tasks.documents(task, "test", 1), "test"),
        (lambda: tasks.load_task(task, "test", 1), "test"),
        (lambda: training_rows.rows(task, 1), "train"),
    ):
        with pytest.raises(ValueError, match=rf"{split}\.jsonl, line {line}: .*{message}") as error:
            asked()
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("command", ["evaluate", "transfer", "attribute", "decompose", "cka", "slice"])
def test_the_command_says_it_before_a_model_is_loaded(root, tmp_path, command):
    for split in ("test", "train"):
        write(root, f"semalign/micro-gsm8k/{split}", [GSM8K, renamed(GSM8K, "answer", "solution")])
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")  # there, but it cannot be loaded
    model, out = str(tmp_path / "model"), ["--out", str(tmp_path / "out")]
    asked = {
        "evaluate": [model, "--task", "micro_gsm8k"],
        "transfer": [model, model, "--data", "micro_gsm8k", *out],
        "attribute": [model, "--data", "micro_gsm8k"],
        "decompose": [model, "--prompts", "micro_gsm8k", *out],
        "cka": [model, model, "--prompts", "micro_gsm8k", *out],
        "slice": [model, "--data", "micro_gsm8k", "--width", "8", *out],
    }
    result = CliRunner().invoke(cli.app, [command, *asked[command]])
    assert "line 2: no column 'answer'" in str(result.exception)


@pytest.mark.parametrize("name", task_names())
def test_the_bundled_tasks_say_what_their_columns_hold(name):
    found = columns_of(task_file(name).configuration())
    expected = {
        "gsm8k": {"question": "text", "answer": "/#### -?[0-9.]/"},
        "gsm8k_laten": {"question": "text", "answer": r"/\n#### -?[0-9.]/"},
        "mmlu": {"question": "text", "subject": "text", "choices": "texts", "answer": "whole"},
        "humaneval": {"prompt": "text", "canonical_solution": "text", "test": "text", "entry_point": "name"},
        "mbpp": {"text": "text", "code": "text", "test_list": "texts", "test_setup_code": "text"},
    }
    name = name.removeprefix("micro_")
    assert found == expected.get(name, expected[name.partition("_")[0]])


@pytest.fixture
def own(tmp_path):
    """Return a function that writes a task file of one's own with its rows, and returns its path."""

    def make(content, *rows):
        (tmp_path / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        (tmp_path / "own.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
        return tmp_path / "own.yaml"

    return make


def test_a_task_of_ones_own_is_checked_as_far_as_its_templates_say(own):
    assert [row["response"] for row in tasks.rows(own(ARC, ARC_ROW), "test")] == [" sun"]
    for row, message in (
        ({**ARC_ROW, "answerKey": "E"}, "ValueError|is not in list"),
        (without(ARC_ROW, "answerKey"), "UndefinedError: 'answerKey' is undefined|no column 'answerKey'"),
        ({**ARC_ROW, "choices": {"text": [], "label": ["B"]}}, "the choices must be a list of two texts or more"),
        ({**ARC_ROW, "choices": {"text": ["a", ""], "label": ["A", "B"]}}, "the choices must be a list of two texts"),
        ({**ARC_ROW, "question": None}, "column 'question' has no value"),
    ):
        path = own(ARC, ARC_ROW, row)
        with pytest.raises(ValueError, match=rf"items\.jsonl, line 2: .*({message})"):
            tasks.rows(path, "test")


def test_a_label_may_be_the_text_of_a_choice(own):
    content = {**ARC, "doc_to_choice": "options", "doc_to_target": "label"}
    row = {"question": "Wet?", "options": ["rain", "sun"], "label": "sun"}
    assert tasks.rows(own(content, row), "test")[0]["response"] == " sun"
    assert tasks.rows(own(content, {**row, "label": 0}), "test")[0]["response"] == " rain"
    assert tasks.rows(own(content, {**row, "label": [1, 0]}), "test")[0]["response"] == " sun"
    with pytest.raises(ValueError, match="the answer 'moon' is none of rain, sun"):
        tasks.rows(own(content, {**row, "label": "moon"}), "test")


def test_columns_that_functions_read_are_named_by_the_function_or_the_file(own, tmp_path):
    (tmp_path / "mine.py").write_text(
        "def score(item, results):\n    return {'acc': 1.0}\nscore.columns = {'key': 'whole'}\n"
        "def halves(data):\n    return data.map(lambda row: {'question': row['question'][:1]})\n"
    )
    path = own(ARC, {**ARC_ROW, "key": "1"})
    path.write_text(path.read_text() + "process_results: !function mine.score\n")
    with pytest.raises(ValueError, match=r"column 'key' must be a whole number, it is '1' \(read by the task own\)"):
        tasks.documents(path, "test")
    path = own({**ARC, "metadata": {**ARC["metadata"], "columns": {"question": "/[?]$/"}}}, ARC_ROW)
    assert len(tasks.documents(path, "test")) == 1
    path.write_text(path.read_text() + "process_docs: !function mine.halves\n")
    with pytest.raises(ValueError, match=r"items\.jsonl, row 1 after process_docs: column 'question' must be"):
        tasks.documents(path, "test")


def test_rows_need_not_have_the_same_columns_or_kinds_where_nothing_reads_them(own):
    rows = [ARC_ROW, {**ARC_ROW, "note": "x"}, {**ARC_ROW, "note": None}, {**ARC_ROW, "note": 3}]
    assert list(tasks.load_task(own(ARC, *rows), "test").eval_docs) == rows


def check_targets(*targets, **more):
    """Check a task whose rows have these right answers."""
    rows = Rows([{"q": each} for each in targets], [f"row {n}" for n in range(1, len(targets) + 1)])
    check_items(
        rows, {"task": "t", "metadata": {}, "doc_to_text": "{{1}}", "doc_to_target": lambda row: row["q"], **more}
    )


@pytest.mark.parametrize("target", [None, math.nan, True, {}, "", []])
def test_an_answer_is_some_text(target):
    with pytest.raises(ValueError, match=r"row 1: the right answer (must be text|is empty)"):
        check_targets(target)


@pytest.mark.parametrize(("first", "other"), [("12", ["12", "13"]), (["12", "13"], "12"), ([12], 12)])
def test_all_items_have_one_answer_or_all_have_lists(first, other):
    check_targets(first, first)
    with pytest.raises(ValueError, match=r"row 3: the right answer is .*: give a list of answers in every row, or in"):
        check_targets(first, first, other)
    check_targets(0, [1, 0], "b", doc_to_choice=["a", "b"])  # of choices, each row says how many are right


def test_a_function_that_changes_a_row_does_not_change_what_is_read_after_it():
    rows = Rows([{"q": ["a", "b"]}], ["row 1"])
    configuration = {"task": "t", "metadata": {}, "doc_to_text": "{{1}}", "doc_to_target": lambda row: row["q"].pop()}
    check_items(rows, configuration)
    assert rows == [{"q": ["a", "b"]}]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["A", "#### 3"]),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=6,
)


@settings(max_examples=120, deadline=None)
@given(st.sampled_from(sorted(ROW)), st.data())
def test_any_row_either_fits_or_gets_one_line_with_its_place(name, data):
    row = dict(ROW[name])
    for column in data.draw(st.lists(st.sampled_from(sorted(row)), min_size=1, max_size=2)):
        row[column] = data.draw(VALUES)
    try:
        check_items(Rows([ROW[name], row], ["f, line 1", "f, line 2"]), task_file(f"micro_{name}").configuration())
    except ValueError as error:
        assert str(error).startswith("f, line 2: ") and "\n" not in str(error)
