"""Right answers: what they may be, and that lm-eval scores every item by its own."""

import math

import pytest

from semalign.data import tasks
from semalign.data.task_answers import check_answer, right_choices, scored_answers


def test_right_choices_by_hand():
    assert right_choices(1, ["a", "b"]) == right_choices("b", ["a", "b"]) == [1]
    assert right_choices(["b", 0], ["a", "b"]) == [1, 0]
    assert right_choices("1", ["0", "1", "2"]) == [1]
    for target in (-1, 2, True, None, 1.0, "c", [0, 2], []):
        with pytest.raises(ValueError, match=r"is none of a, b and no number from 0 to 1|no answer is right"):
            right_choices(target, ["a", "b"])
    for choices in (["a"], "ab", ["a", ""], ["a", 1], None):
        with pytest.raises(ValueError, match="two texts or more"):
            right_choices(0, choices)


@pytest.mark.parametrize("target", ["x", 7, 2.5, ["x", 7], ["", "x"], "0"])
def test_an_answer_is_text_or_a_number_or_a_list_of_these(target):
    check_answer(target)


@pytest.mark.parametrize("target", [None, math.nan, True, {}, ["x", None], ["x", ["y"]], [False], [math.nan]])
def test_other_answers_are_refused(target):
    with pytest.raises(ValueError, match="the right answer must be text"):
        check_answer(target)


@pytest.mark.parametrize("target", ["", [], [""]])
def test_an_answer_is_not_empty(target):
    with pytest.raises(ValueError, match="the right answer is empty"):
        check_answer(target)


def answers(targets, choices=None, asks_for_text=False):
    """Return the form in which lm-eval is given some right answers."""
    rows = [{"target": target} for target in targets]
    read = scored_answers(lambda row: row["target"], choices and (lambda row: choices), asks_for_text, rows)
    return [read(row) for row in rows]


def test_places_of_choices_are_lists_as_soon_as_one_item_has_several():
    assert answers(["b", 0, "a"], ["a", "b"]) == [1, 0, 0]
    assert answers([["b"], 0], ["a", "b"]) == [1, 0]
    assert answers(["b", [0, "b"], ["a"]], ["a", "b"]) == [[1], [0, 1], [0]]


def test_where_the_model_writes_its_answer_choices_say_the_text():
    assert answers(["b", 0], ["a", "b"], asks_for_text=True) == ["b", "a"]
    assert answers([[1, 0], "a"], ["a", "b"], asks_for_text=True) == [["b", "a"], ["a"]]


def test_without_choices_lists_are_of_texts():
    assert answers(["x", 7], asks_for_text=True) == ["x", 7]
    assert answers([[12, "x"], ["y"]], asks_for_text=True) == [["12", "x"], ["y"]]


def scores(path, *given):
    """Return lm-eval's scores of one answer to each item, and the responses that are trained on."""
    task = tasks.load_task(path, "test")
    found = [task.process_results(row, answer) for row, answer in zip(task.eval_docs, given, strict=True)]
    return [next(iter(each.values())) for each in found], [row["response"] for row in tasks.rows_of(task)]


LIKELIER = {"x": [(-1.0, False), (-2.0, False)], "y": [(-2.0, False), (-1.0, False)]}
CHOOSES = {
    "output_type": "multiple_choice", "generation_kwargs": None, "doc_to_choice": "choices",
    "metric_list": [{"metric": "acc", "aggregation": "mean"}], "metadata": {"version": 1, "primary": "acc,none"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("target", "said", "others"),
    [
        ("answer", ["y"], ["y", "x"]),
        ("answer", ["y"], ["y"]),
        ("{{answer}}", "[1]", "[1, 0]"),
        ("{{answer}}", "1", "1"),
    ],
)
def test_lm_eval_scores_choices_by_each_way_to_say_them(own_task, target, said, others):
    rows = [{"question": "?", "choices": ["x", "y"], "answer": each} for each in (said, others)]
    path = own_task(rows, doc_to_target=target, **CHOOSES)
    assert scores(path, LIKELIER["y"], LIKELIER["y"]) == ([1, 1], [" y", " y"])
    assert scores(path, LIKELIER["x"], LIKELIER["x"])[0] == [0, float("0" in others or "x" in others)]


@pytest.mark.parametrize("said", ["y", 1])
def test_lm_eval_scores_text_against_the_choice_that_is_right(own_task, said):
    path = own_task([{"question": "?", "choices": ["x", "y"], "answer": said}], doc_to_choice="choices")
    assert scores(path, ["y"]) == ([1], [" y"])
    assert scores(path, ["x"])[0] == [0]


def test_lm_eval_scores_text_against_each_of_several_answers(own_task):
    path = own_task([{"question": "?", "answers": [12, 13]}], doc_to_target="{{answers}}")
    assert scores(path, ["13"]) == ([1], [" 12"])
    assert scores(path, ["1"])[0] == [0]
