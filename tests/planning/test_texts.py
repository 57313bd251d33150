"""Lengths of texts: counted, estimated, assumed, padded."""

import json

import pytest
import yaml
from helpers.data import SUMS, SUMS_TASK
from helpers.profiles import write_profile

from semalign.data import tasks
from semalign.data.training_rows import rows as training_rows
from semalign.experiments.profiles import load_profile
from semalign.models.source import FiledModel
from semalign.planning import texts as module
from semalign.planning.lengths import CHARACTERS, Known
from semalign.planning.texts import Texts, bare, needs_generation, training_texts
from semalign.planning.texts import test_texts as texts_to_score

ROWS = Texts.of([(2, 3), (10, 1), (4, 4), (1, 1)])


def test_a_row_ends_with_the_end_of_sequence_which_is_supervised():
    assert ROWS.whole.tolist() == [6, 12, 9, 3]
    assert (ROWS.tokens, ROWS.positions) == (30, 4 + 2 + 5 + 2)
    assert ROWS.squares == 36 + 144 + 81 + 9


def test_batches_in_order_are_padded_to_their_longest_row():
    padded = ROWS.padded(2)
    assert padded.whole.tolist() == [12, 12, 9, 9]
    assert padded.positions == ROWS.positions


def test_rows_of_a_step_are_sorted_by_length_before_they_are_cut():
    assert ROWS.padded(2, among=4).whole.tolist() == [6, 6, 12, 12]


def test_parts_of_texts():
    assert ROWS.first(1).whole.tolist() == [6]
    assert ROWS.longest(2).whole.tolist() == [12, 9]
    assert ROWS.between(3, 9).whole.tolist() == ROWS.between(4, 9).whole.tolist() == [3]
    assert ROWS.cycled(5).whole.tolist() == [6, 12, 9, 3, 6]
    assert bare(ROWS).tokens == 2 + 10 + 4 + 1


def test_parts_of_texts_say_how_their_lengths_are_known():
    texts = Texts.of([(2, 3), (10, 1)], Known.ESTIMATED, "by hand")
    parts = [texts.first(1), texts.longest(1), texts.cycled(3), texts.padded(2), bare(texts)]
    assert {part.said for part in parts} == {"estimated: by hand"}
    assert ROWS.said == "counted"


@pytest.mark.slow
@pytest.mark.parametrize("task", load_profile("micro").tasks)
def test_data_of_this_machine_are_counted_as_training_encodes_them(task):
    profile = load_profile("micro")
    found, settings = training_texts(profile, task), profile.tasks[task]
    rows = training_rows(task, settings.train_size, settings.training_data, chat=profile.evaluation.chat)
    examples = FiledModel(profile.student).outline.encode(rows)
    assert found.known == "counted" and len(found) == len(examples)
    assert found.positions == sum(len(example.positions()) for example in examples)
    assert found.whole.tolist() == [len(example) for example in examples]


@pytest.mark.slow
def test_items_that_are_scored_are_counted_too():
    found = texts_to_score(load_profile("micro"), "micro_gsm8k")
    rows = tasks.rows("micro_gsm8k", "test")
    examples = FiledModel("micro-student").outline.encode(rows)
    assert found.known == "counted"
    assert (found.tokens, found.positions) == (sum(map(len, examples)), sum(len(e.positions()) for e in examples))


@pytest.mark.slow
def test_without_a_tokenizer_a_token_has_a_stated_number_of_characters(monkeypatch):
    monkeypatch.setattr(module, "tokenizer_of", lambda name: None)
    found = texts_to_score(load_profile("micro"), "micro_gsm8k")
    assert found.said == f"estimated: {CHARACTERS} characters a token"


def test_data_that_are_not_here_are_assumed_and_no_hub_is_asked(monkeypatch):
    monkeypatch.setenv("SEMALIGN_DATA", "")
    monkeypatch.setattr("semalign.data.sources.hub_rows", lambda *_, **__: pytest.fail("the hub was asked"))
    monkeypatch.setattr("semalign.data.sources.data_roots", list)
    profile = load_profile("llama2")
    found = training_texts(profile, "gsm8k")
    assert len(found) == 1000 and found.said == "assumed: 100 tokens and 140 of the response"
    assert len(texts_to_score(profile, "humaneval")) == 164


@pytest.mark.slow
def test_the_limit_of_an_evaluation_counts(tmp_path):
    profile = write_profile(tmp_path, student="micro-student")
    assert len(texts_to_score(profile, "micro_gsm8k")) == 4
    assert len(training_texts(profile, "micro_gsm8k")) == 6


def test_which_tasks_ask_for_text():
    assert needs_generation("gsm8k") and not needs_generation("mmlu")


def test_a_task_of_the_users_own_is_counted_as_it_is_asked(tmp_path):
    """Without a type of output, and with a function that leaves items out."""
    items = "".join(json.dumps(item) + "\n" for item in SUMS * 3)
    (tmp_path / "items.jsonl").write_text(items)
    path = tmp_path / "sums.yaml"
    files = {"dataset_kwargs": {"data_files": {"exam": "items.jsonl", "validation": "items.jsonl"}}}
    content = {**SUMS_TASK, **files, "training_split": "exam", "validation_split": "validation"}
    path.write_text(yaml.safe_dump(content) + "process_docs: !function mine.some\n")
    (tmp_path / "mine.py").write_text("def some(items):\n    return items.select(range(0, len(items), 2))\n")
    profile = write_profile(
        tmp_path, student="micro-student", teachers={}, tasks={str(path): {}}, evaluation={"limit": 4}
    )
    assert needs_generation(str(path))
    assert len(texts_to_score(profile, str(path))) == 3 and len(texts_to_score(profile, str(path), "validation")) == 3
    assert len(training_texts(profile, str(path))) == 3
