"""Items are the rows of the data as they are, or what a task's own function makes of them."""

import pytest

from semalign.data import tasks
from semalign.data.row_files import Rows
from semalign.data.task_documents import Documents, dataset, processed

MIXED = [{"question": 7, "answer": 7}, {"question": 2.5, "answer": 2.5}]
OWN = """
from datasets import Dataset

def grouped(data):
    return data.map(lambda row: {"subject": row["question"][0]})

def some(data):
    return data.filter(lambda row: row["question"].startswith("b"))

def twice(data):
    return [row for row in data for _ in range(2)]

def none(data):
    return data.select([])

def nothing(data):
    pass

def names(data):
    return data.column_names
"""
ROWS = [{"question": question, "answer": question} for question in ("a1", "a2", "b3", "b4", "b5")]


def test_documents_are_copies_of_the_rows():
    rows = [{"a": [1]}, {"b": 2.5}]
    documents = Documents(rows)
    assert (len(documents), list(documents), documents[1]) == (2, rows, rows[1])
    assert list(documents.features) == ["a", "b"]
    for document in (documents[0], next(iter(documents))):
        document["a"].append(2)
    assert rows[0] == {"a": [1]}


@pytest.mark.parametrize("limit", [1, 2])
def test_what_is_asked_and_scored_does_not_depend_on_other_rows(own_task, limit):
    task = tasks.load_task(own_task(MIXED, doc_to_text="Q: {{question}}"), "test", limit)
    assert tasks.rows_of(task)[0] == {"prompt": "Q: 7", "response": " 7"}
    assert task.process_results(task.eval_docs[0], ["7"]) == {"exact_match": 1}


def test_an_object_has_its_own_keys_alone(own_task):
    rows = [{"question": {"a": 1}, "answer": "x"}, {"question": {"b": 2}, "answer": "x"}]
    asked = tasks.rows(own_task(rows, doc_to_text="{{question}}"), "test")
    assert [row["prompt"] for row in asked] == ["{'a': 1}", "{'b': 2}"]


def test_a_data_set_has_null_where_a_row_has_no_value():
    assert dataset([{"a": 1}, {"b": "x"}, {"b": None}]).to_list() == [
        {"a": 1, "b": None},
        {"a": None, "b": "x"},
        {"a": None, "b": None},
    ]
    assert dataset([{"a": [1, None]}, {"a": None}])["a"][:] == [[1, None], None]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (("x", 3), "a column has values of different types"),
        ((7, 2.5), "column 'a' has whole numbers and fractions, so that 7 becomes 7.0 for process_docs"),
        ((2.5, 7), "so that 7 becomes 7.0"),
        (([2.5], [1, 2]), r"so that \[1, 2\] becomes \[1.0, 2.0\]"),
        (({"b": [1]}, {"b": [0.5], "c": "x"}), "whole numbers and fractions"),
    ],
)
def test_a_data_set_that_would_change_numbers_is_refused(values, message):
    with pytest.raises(ValueError, match=message):
        dataset([{"a": value} for value in values])


def test_without_a_function_the_rows_are_the_items():
    rows = Rows(MIXED, ["row 1", "row 2"])
    assert processed(rows, None) is rows


@pytest.fixture
def made(own_task, tmp_path):
    """Return a function that writes a task with its own ``process_docs``."""
    (tmp_path / "mine.py").write_text(OWN)
    return lambda name, **changes: own_task(ROWS, f"process_docs: !function mine.{name}\n", **changes)


def asked(path, limit):
    """Return the questions that a task asks; those whose rows are checked are the same."""
    found = [row["question"] for row in tasks.load_task(path, "test", limit).eval_docs]
    assert found == [row["question"] for row in tasks.documents(path, "test", limit)]
    return found


def test_a_limit_counts_what_the_function_makes(made):
    assert asked(made("some"), 2) == ["b3", "b4"]
    assert asked(made("twice"), 1) == ["a1"]
    assert asked(made("twice"), 3) == ["a1", "a1", "a2"]
    assert asked(made("some"), None) == ["b3", "b4", "b5"]


def test_a_limit_is_of_the_groups_that_the_function_makes(made):
    metadata = {"version": 1, "primary": "exact_match,none", "group_by": "subject"}
    path = made("grouped", metadata=metadata)
    assert asked(path, 1) == ["a1", "b3"]
    assert [row["subject"] for row in tasks.documents(path, "test", 2)] == ["a", "a", "b", "b"]


@pytest.mark.parametrize(
    ("name", "returned"), [("none", r"Dataset\("), ("nothing", "None"), ("names", r"\['question', 'answer'\]")]
)
def test_a_function_must_make_items(made, name, returned):
    with pytest.raises(ValueError, match=rf"items\.jsonl: process_docs must return one row or more, .*{returned}"):
        tasks.documents(made(name), "test")


def test_the_hash_of_a_split_is_of_the_rows_that_the_function_is_given(made):
    assert tasks.split_fingerprint(made("some"), "test") == tasks.split_fingerprint(made("twice"), "test")
