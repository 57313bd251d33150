"""Prompts that do not fit are refused, and answers are no longer than what the longest prompt leaves."""

import json

import pytest
import torch
import yaml
from helpers.data import write_task
from helpers.scripted import GSM8K

from semalign.evaluation.run import evaluate


def test_a_prompt_that_leaves_no_room_is_an_error(model, data):
    data("gsm8k", [{**GSM8K, "question": "?" * 600}])
    message = r"task micro_gsm8k, item 0: its prompt has \d+ tokens, and the model's context is 512: shorten the item"
    with pytest.raises(ValueError, match=message):
        evaluate(model, "micro_gsm8k")


def test_the_item_with_the_longest_prompt_is_named(model, tmp_path):
    rows = [{"question": "?" * length, "answer": "1"} for length in (5, 600, 700, 650)]
    with pytest.raises(ValueError, match=r"^task sums, item 2: its prompt has 700 tokens, and .* or leave it out$"):
        evaluate(model, write_task(tmp_path, rows, doc_to_text="question"))


@pytest.mark.parametrize("before", [[], ["and"]])
def test_an_answer_without_a_token_before_it_is_refused(model, tmp_path, before):
    """Alone, the item has no input; in a batch, it would be read behind padding alone."""
    rows = [{"question": question, "answer": "1"} for question in (*before, "")]
    message = (
        rf"^task sums, item {len(before)}: its prompt '' has no token, and an answer needs one before it: give the"
    )
    with pytest.raises(ValueError, match=message):
        evaluate(model, write_task(tmp_path, rows, doc_to_text="question"))
    assert evaluate(model, write_task(tmp_path, rows, doc_to_text="question", description="Say: ")).n == len(rows)


def test_a_choice_without_a_prompt_is_read_behind_the_token_that_lm_eval_puts_there(model, tmp_path):
    path = write_task(
        tmp_path, [{"question": "", "choices": ["no", "yes"], "answer": 1}], output_type="multiple_choice",
        generation_kwargs=None, doc_to_text="question", doc_to_choice="choices", target_delimiter="",
        metric_list=[{"metric": "acc", "aggregation": "mean"}], metadata={"version": 1, "primary": "acc,none"},
    )  # fmt: skip
    (sample,) = evaluate(model, path).samples
    ids = [model.tokenizer.eos_token_id, *model.tokenizer("yes", add_special_tokens=False).input_ids]
    with torch.no_grad():
        steps = model.model(torch.tensor([ids])).logits[0].log_softmax(-1)
    expected = sum(steps[i, token] for i, token in enumerate(ids[1:]))
    assert sample["log_likelihoods"][1] == pytest.approx(float(expected), abs=1e-4)
    model.tokenizer.eos_token = None
    with pytest.raises(ValueError, match="its prompt '' has no token"):
        evaluate(model, path)


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
                ValueError,
                match="item 0: its prompt with the longest choice has 512 tokens, and the model's context is 512",
            ):
                evaluate(model, tmp_path / "long.yaml")


def test_a_prompt_that_leaves_little_room_warns(model, data):
    data("gsm8k", [{**GSM8K, "question": "?" * 440}])
    with pytest.warns(UserWarning, match=r"answers are limited to .*: the longest prompt \(task micro_gsm8k, item 0\)"):
        result = evaluate(model, "micro_gsm8k")
    prompt_length = len(model.tokenizer(result.samples[0]["prompt"]).input_ids)
    assert len(model.tokenizer(result.samples[0]["generation"]).input_ids) <= 512 - prompt_length
