"""Prompts that do not fit are refused, and answers are no longer than what the longest prompt leaves."""

import json

import pytest
import yaml
from helpers.scripted import GSM8K

from semalign.evaluation.run import evaluate


def test_a_prompt_that_leaves_no_room_is_an_error(model, data):
    data("gsm8k", [{**GSM8K, "question": "?" * 600}])
    with pytest.raises(ValueError, match="context is 512"):
        evaluate(model, "micro_gsm8k")


def test_choices_are_read_whole_or_refused(model, tmp_path):
    """A choice of several tokens needs room too: the start of the prompt would be left out for it."""
    item = {"question": "?" * 300, "choices": ["no", "y" * 100], "answer": 1}
    content = {
        "dataset_path": "json", "dataset_kwargs": {"data_files": {"test": "items.jsonl"}}, "test_split": "test",
        "output_type": "multiple_choice", "doc_to_text": "question", "doc_to_choice": "choices",
        "doc_to_target": "answer", "metric_list": [{"metric": "acc", "aggregation": "mean"}],
        "metadata": {"version": 1, "primary": "acc,none"},
    }  # fmt: skip
    (tmp_path / "long.yaml").write_text(yaml.safe_dump(content))
    used = len(model.tokenizer(item["question"] + " " + item["choices"][1]).input_ids) - 1
    for n, fits in ((511 - used, True), (512 - used, False)):
        longer = {**item, "question": "?" * (300 + n)}
        (tmp_path / "items.jsonl").write_text(json.dumps(longer) + "\n")
        if fits:
            assert evaluate(model, tmp_path / "long.yaml").n == 1
        else:
            with pytest.raises(
                ValueError, match="a prompt with its longest choice has 512 tokens, and the model's context is 512"
            ):
                evaluate(model, tmp_path / "long.yaml")


def test_a_prompt_that_leaves_little_room_warns(model, data):
    data("gsm8k", [{**GSM8K, "question": "?" * 440}])
    with pytest.warns(UserWarning, match="answers are limited to"):
        result = evaluate(model, "micro_gsm8k")
    prompt_length = len(model.tokenizer(result.samples[0]["prompt"]).input_ids)
    assert len(model.tokenizer(result.samples[0]["generation"]).input_ids) <= 512 - prompt_length
