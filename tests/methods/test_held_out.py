"""Measurements on held-out rows: intervals, what a record says, and what is measured only once."""

import logging

import pytest

from semalign.data.rows import encode
from semalign.methods import held_out
from semalign.methods import semalign as methods
from semalign.methods.runner import run_method
from semalign.models.architecture import Architecture
from semalign.results.statistics import ratio_interval
from semalign.training.finetuning import row_nll

FAST = {"epochs": 1, "batch_size": 4, "rank": 2, "learning_rate": 1e-2}


@pytest.fixture
def details(teacher, student, rows):
    settings = {**FAST, "attribution_examples": 2}
    return run_method("semalign", teacher, student, rows[:8], validation=rows[8:], **settings).record["details"]


def test_the_record_says_what_the_training_did(details, student, rows):
    examples = encode(rows[8:], student.tokenizer, student.context_length)
    before = row_nll(Architecture(student.model), examples)
    expected = ratio_interval(before, [len(example.positions()) for example in examples])
    found = details["held_out"]
    assert [found["before"], found["low"], found["high"]] == pytest.approx(list(expected), rel=1e-9)
    assert found["after"] == details["after"]["response_nll"] != found["before"]
    assert (found["n"], found["split"], len(found["row_nll"])) == (4, None, 4)
    tokens = [len(example.positions()) for example in examples]
    mean = sum(nll * n for nll, n in zip(found["row_nll"], tokens, strict=True)) / sum(tokens)
    assert mean == pytest.approx(found["after"], abs=1e-6)
    assert details["layer_cosine"] == {when: details[when]["layer_cosine"] for when in ("before", "after")}
    assert details["steps"] == 2 and details["weight_change"] > 0


def test_the_student_as_it_was_is_measured_once(teacher, student, rows, monkeypatch):
    held_out._before.clear()
    measured, original = [], held_out.row_nll
    monkeypatch.setattr(held_out, "row_nll", lambda *given: measured.append(given[0].model) or original(*given))
    found = [
        run_method("sft", teacher, student, rows[:8], validation=rows[n:], seed=seed, **FAST).record["details"]
        for n, seed in ((8, 0), (8, 1), (9, 1))
    ]
    assert [model is student.model for model in measured] == [True, False, False, True, False]
    assert found[0]["before"] == found[1]["before"] != found[2]["before"]


def row(prompt, response):
    return {"prompt": prompt, "response": response}


def test_held_out_rows_that_were_trained_on_are_counted():
    trained = [row("a", "1"), row("a", "2"), row("", "text")]
    others = [row("b", "1"), row("", "other"), row("a ", "1")]
    assert held_out.seen(trained, others) == {} == held_out.seen(trained, [])
    again = [row("a", "2"), row("", "text"), row("a", "3"), *others]
    assert held_out.seen(trained, again) == {"rows": 2, "prompts": 3}


def test_some_rows_that_were_trained_on_are_told_and_recorded(teacher, student, rows, caplog):
    other = {**rows[6], "response": " none"}
    caplog.set_level(logging.WARNING, "semalign")
    run = run_method("sft", teacher, student, rows[:8], validation=[rows[7], other, *rows[8:]], **FAST).record
    assert run["details"]["held_out_seen"] == {"rows": 1, "prompts": 2}
    assert [record.getMessage() for record in caplog.records if record.name == "semalign.methods.held_out"] == [
        "1 of 6 held-out rows are training rows, and 2 have the prompt of one: what is measured on them says little "
        "about new rows"
    ]


def test_rows_that_are_not_trained_on_may_be_held_out(teacher, student, rows, caplog):
    details = run_method("sft", teacher, student, rows, validation=rows[8:], train_size=8, **FAST).record["details"]
    assert details["held_out"]["n"] == 4 and "held_out_seen" not in details
    assert not [record for record in caplog.records if record.name == "semalign.methods.held_out"]


@pytest.mark.parametrize("given", [lambda rows: (rows, rows), lambda rows: (rows[:1] * 4, rows[:1])])
def test_held_out_rows_that_were_all_trained_on_are_refused(teacher, student, rows, given):
    trained, validation = given(rows)
    with pytest.raises(
        ValueError, match=rf"each held-out row \({len(validation)}\) is a training row too: hold out row"
    ):
        run_method("sft", teacher, student, trained, validation=validation, **FAST)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"prompt": "x", "response": "y" * 99}, r"^held-out rows: .*, row 2 has 101 tokens .* more than the context"),
        ({"prompt": "x"}, "^held-out rows: row 2 must have a 'prompt' and a 'response'"),
        ({"messages": [{"role": "user", "content": "x"}]}, "^held-out rows: row 2"),
    ],
)
def test_what_is_wrong_with_a_held_out_row_is_told_by_its_own_number(teacher, student, rows, wrong, message):
    with pytest.raises(ValueError, match=message):
        run_method("sft", teacher, student, rows[:3], validation=[rows[8], wrong], **FAST)
    with pytest.raises(ValueError, match=message.replace("held-out rows: ", "").replace("row 2", "row 4")):
        run_method("sft", teacher, student, [*rows[:3], wrong], validation=[rows[8]], **FAST)


def test_held_out_rows_without_a_target_are_told(teacher, student, rows, monkeypatch):
    def match(teacher, student, positions):
        if len(student) == 2:
            raise ValueError("no target can be made")

    monkeypatch.setattr(methods, "match_examples", match)
    with pytest.raises(ValueError, match=r"^held-out rows: no target can be made$"):
        run_method("semalign", teacher, student, rows[:3], validation=rows[8:10], **FAST)


def test_one_row_gives_no_interval(teacher, student, rows):
    found = run_method("sft", teacher, student, rows[:8], validation=rows[8:9], **FAST).record["details"]["held_out"]
    assert found["low"] is found["high"] is None and found["n"] == 1


def test_without_held_out_rows_the_record_has_steps_and_weights_alone(teacher, student, rows):
    details = run_method("sft", teacher, student, rows[:8], **FAST).record["details"]
    assert details["steps"] == 2 and details["weight_change"] > 0
    assert "held_out" not in details and details["after"] is None
