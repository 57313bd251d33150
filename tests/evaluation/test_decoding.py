"""Decoding with rows that come and go, against `generate` of transformers, one prompt at a time."""

import random

import pytest
import torch
from helpers.models import make_llama
from transformers import GenerationConfig

from semalign.evaluation import decoding
from semalign.evaluation.decoding import Decoder, decodes

END = 3


@pytest.fixture
def model():
    torch.manual_seed(0)
    model = make_llama(48, 24, 2, 0, num_attention_heads=6, num_key_value_heads=2, initializer_range=0.5).eval()
    model.generation_config = GenerationConfig(eos_token_id=END, pad_token_id=0)
    return model


@pytest.fixture
def prompts():
    chance = random.Random(0)
    return [[chance.randrange(4, 48) for _ in range(chance.randrange(1, 12))] for _ in range(17)]


def plain(model, prompt, most):
    found = model.generate(torch.tensor([prompt]), max_new_tokens=most, do_sample=False)
    return found[0, len(prompt) :].tolist()


def decoder(model, rows, most=24):
    return Decoder(model, lambda answer: answer[-1] == END or len(answer) >= most, rows, filler=0, context=64)


@pytest.mark.parametrize("rows", [1, 3, 8, 40])
def test_answers_are_those_of_generate(model, prompts, rows):
    answers = {answer.prompt: answer.tokens for answer in decoder(model, rows).answers(prompts)}
    expected = [plain(model, prompt, 24) for prompt in prompts]
    assert [answers[number] for number in range(len(prompts))] == expected
    assert len({len(tokens) for tokens in expected}) > 3  # they end at different places


@pytest.mark.parametrize("cost", [0.01, 1e9])
def test_when_a_batch_is_made_anew_changes_no_answer(model, prompts, cost, monkeypatch):
    monkeypatch.setattr(decoding, "COST", cost)
    answers = {answer.prompt: answer.tokens for answer in decoder(model, 4).answers(prompts)}
    assert [answers[number] for number in range(len(prompts))] == [plain(model, prompt, 24) for prompt in prompts]


def test_rows_that_have_ended_make_room(model, prompts, monkeypatch):
    """The answer to the longest prompt is long and the others short: all of them pass beside it, and it ends last."""
    monkeypatch.setattr(decoding, "COST", 0.01)
    longest = max(range(len(prompts)), key=lambda number: len(prompts[number]))
    outputs = plain(model, prompts[longest], 24)
    rows, step = [], Decoder._step
    monkeypatch.setattr(Decoder, "_step", lambda self, batch: rows.append(len(batch.answers)) or step(self, batch))

    def ends(answer):
        return len(answer) >= (24 if answer == outputs[: len(answer)] else 2)

    found = list(Decoder(model, ends, 4, 0, 64).answers(prompts))
    assert len(found) == len(prompts) > 4 and found[-1].prompt == longest  # batch by batch it would end in the first
    assert max(rows) == 4


def test_no_prompts_have_no_answers(model):
    assert list(decoder(model, 4).answers([])) == []


def test_a_model_with_a_way_of_its_own_is_left_to_generate(model):
    assert decodes(model)
    model.generate = lambda **settings: None
    assert not decodes(model)
    del model.generate
    model.config.sliding_window, model.config.layer_types = 4, ["full_attention", "sliding_attention"]
    assert not decodes(model)
