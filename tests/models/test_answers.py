"""Greedy answers against a loop that takes the most likely token each time."""

import pytest
import torch

from semalign.models import answers
from semalign.models.answers import greedy_answers

PROMPTS = ["what is 1+2?", "a", "what is", "0+3?"]


@torch.no_grad()
def literal(model, prompt, most):
    ids = list(model.tokenizer(prompt)["input_ids"])
    start = len(ids)
    while len(ids) < start + most:
        token = int(model.model(torch.tensor([ids])).logits[0, -1].argmax())
        if token == model.tokenizer.eos_token_id:
            return model.tokenizer.decode(ids[start:]) or None
        ids.append(token)
    return None


def test_answers_are_the_most_likely_tokens_up_to_the_end(teacher, monkeypatch):
    monkeypatch.setattr(answers, "ROWS", 3)
    with torch.no_grad():  # so that some answers end
        teacher.model.lm_head.weight[0] *= 3
    found = greedy_answers(teacher, PROMPTS)
    assert found == [literal(teacher, prompt, 64 - len(prompt)) for prompt in PROMPTS]
    assert any(found)


def test_a_longer_prompt_beside_it_takes_no_answer_away(teacher):
    with torch.no_grad():  # so that it ends late
        teacher.model.lm_head.weight[0] *= 2
    alone = {prompt: greedy_answers(teacher, [prompt])[0] for prompt in ("a", "b", "what", "0+3?", "x" * 60)}
    assert list(alone.values()) == greedy_answers(teacher, list(alone))
    assert any(answer and len(answer) > 4 for answer in alone.values())


def test_an_answer_that_does_not_end_is_none(teacher, monkeypatch):
    monkeypatch.setattr(answers, "LONGEST", 2)
    expected = [literal(teacher, prompt, 2) for prompt in PROMPTS]
    assert greedy_answers(teacher, PROMPTS) == expected
    assert None in expected
    assert greedy_answers(teacher, ["x" * 64]) == [None]  # the context has no room


@pytest.mark.parametrize("setting", [{"repetition_penalty": 5.0}, {"do_sample": True}, {"max_new_tokens": 1}])
def test_the_model_s_own_generation_settings_change_nothing(teacher, setting):
    with torch.no_grad():
        teacher.model.lm_head.weight[0] *= 3
    expected = greedy_answers(teacher, PROMPTS)
    for key, value in setting.items():
        setattr(teacher.model.generation_config, key, value)
    assert greedy_answers(teacher, PROMPTS) == expected
    assert all(getattr(teacher.model.generation_config, key) == value for key, value in setting.items())
