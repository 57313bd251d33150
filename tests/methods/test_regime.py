"""What is trained on: the first rows, and the teacher's answers in place of the responses."""

import re

import pytest

import semalign
from semalign.methods import regime
from semalign.methods.regime import rows_to_train
from semalign.models.pair import Pair
from semalign.settings import TransferSettings
from semalign.training.adaptation import Inputs

FAST = {"epochs": 2, "batch_size": 4, "rank": 2, "attribution_examples": 3}


@pytest.fixture
def asked(monkeypatch):
    """The prompts of each time that the teacher is asked; it answers all but those that begin with "what is 0"."""
    calls = []

    def answers(model, prompts):
        calls.append(list(prompts))
        return [None if prompt.startswith("what is 0") else f" yes {prompt[8]}" for prompt in prompts]

    monkeypatch.setattr(regime, "greedy_answers", answers)
    return calls


def inputs(teacher, student, rows, **settings):
    return Inputs(Pair(teacher, student), rows, rows[:2], TransferSettings(**settings))


def test_the_first_rows_are_trained_on(teacher, student, rows):
    assert rows_to_train(inputs(teacher, student, rows)) == rows
    assert rows_to_train(inputs(teacher, student, rows, train_size=5)) == rows[:5]


def test_the_teacher_is_asked_once_and_rows_without_an_answer_are_left_out(teacher, student, rows, asked, caplog):
    given = inputs(teacher, student, rows, responses="teacher", train_size=7)
    found = rows_to_train(given)
    assert found == [{"prompt": row["prompt"], "response": f" yes {row['prompt'][8]}"} for row in rows[3:7]]
    assert "3 of 7 rows are left out" in caplog.text
    assert rows_to_train(given) == found and asked == [[row["prompt"] for row in rows[:7]]]
    with pytest.raises(ValueError, match="the teacher ends none of its answers to 3 prompts"):
        rows_to_train(inputs(teacher, student, rows, responses="teacher", train_size=3))


def test_answers_that_are_too_long_for_the_student_are_left_out(teacher, student, rows, monkeypatch, caplog):
    lengths = [1, 0, 40, 2, 40]
    monkeypatch.setattr(regime, "greedy_answers", lambda model, prompts: [" 7" * n or None for n in lengths])
    longest = max(len(student.tokenizer(row["prompt"]).input_ids) for row in rows[:5])
    student.model.config.max_position_embeddings = longest + 8
    found = rows_to_train(inputs(teacher, student, rows[:5], responses="teacher"))
    assert [row["response"] for row in found] == [" 7", " 7 7"]
    told = rf"2 of 4 answers of the teacher are left out, to rows 3, 5: {student.name}, row 3 has \d+ tokens"
    assert re.search(told, caplog.text)
    monkeypatch.setattr(regime, "greedy_answers", lambda model, prompts: [" 7" * 40])
    with pytest.raises(ValueError, match=r"no answer of the teacher can be read by both models: .*context"):
        rows_to_train(inputs(teacher, student, rows[:1], responses="teacher"))


def test_only_the_first_numbers_of_rows_that_are_left_out_are_told(teacher, student, rows, monkeypatch, caplog):
    monkeypatch.setattr(regime, "greedy_answers", lambda model, prompts: [" 7", *[" 7" * 40] * 11])
    student.model.config.max_position_embeddings = 8 + max(
        len(student.tokenizer(row["prompt"]).input_ids) for row in rows
    )
    assert len(rows_to_train(inputs(teacher, student, rows, responses="teacher"))) == 1
    assert "11 of 12 answers of the teacher are left out, to rows 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, ...: " in caplog.text


@pytest.mark.slow
def test_a_transfer_trains_on_them_and_measures_on_the_given_responses(teacher, student, rows, unseen, asked):
    settings = {**FAST, "validation": unseen[:2], "output_loss": "cross_entropy"}
    answered = [{"prompt": row["prompt"], "response": f" yes {row['prompt'][8]}"} for row in rows[3:7]]
    expected = semalign.transfer(teacher, student, answered, **settings).record
    found = semalign.transfer(teacher, student, rows, responses="teacher", train_size=7, **settings).record
    whole = semalign.transfer(teacher, student, rows, **settings).record
    assert found["losses"] == expected["losses"] != whole["losses"]
    assert found["value"] == expected["value"]
    assert found["details"]["before"]["response_nll"] == whole["details"]["before"]["response_nll"]
    # The record is of the rows that were given; what was made of them, its settings say.
    assert found["fingerprints"]["data"] == whole["fingerprints"]["data"]
    assert (found["configuration"]["responses"], found["configuration"]["train_size"]) == ("teacher", 7)


def test_more_rows_than_there_are_is_an_error_before_any_work(teacher, student, rows):
    with pytest.raises(ValueError, match=r"fewer than train_size=13: lower train_size to 12 or leave it out$"):
        semalign.transfer(teacher, student, rows, train_size=13)
