"""Log-likelihoods against the sum of the log-probabilities of all logits, one pair at a time."""

import random
from itertools import chain

import pytest
import torch
from helpers.models import make_llama

from semalign.evaluation.likelihoods import chooses_logits, likelihoods


@pytest.fixture
def model():
    return make_llama(48, 24, 2, 0, initializer_range=0.5).eval()


def plain(model, context, continuation):
    with torch.no_grad():
        logits = model(torch.tensor([[*context, *continuation]])).logits[0].log_softmax(-1)
    steps = range(len(context) - 1, len(context) + len(continuation) - 1)
    value = sum(float(logits[step, token]) for step, token in zip(steps, continuation, strict=True))
    return value, all(int(logits[step].argmax()) == token for step, token in zip(steps, continuation, strict=True))


@pytest.mark.parametrize("rows", [1, 4, 50])
def test_they_are_sums_of_log_probabilities(model, rows):
    chance = random.Random(0)
    text = lambda most: [chance.randrange(48) for _ in range(chance.randrange(1, most))]  # noqa: E731
    pairs = [(text(12), text(5)) for _ in range(20)]
    context = text(9)
    pairs += [(context, [letter]) for letter in range(48)]
    found = {pair: (value, greedy) for batch in likelihoods(model, pairs, rows, 64) for pair, value, greedy in batch}
    for number, pair in enumerate(pairs):
        value, greedy = plain(model, *pair)
        assert found[number] == (pytest.approx(value, abs=1e-4), greedy)
    assert sum(found[number][1] for number in range(20, 68)) == 1  # the likeliest letter


def test_a_question_is_asked_once_and_only_its_last_logits_are_computed(model, monkeypatch):
    seen, forward = [], model.forward

    def counting(ids, **settings):
        found = forward(ids, **settings)
        seen.append((tuple(ids.shape), found.logits.shape[1]))
        return found

    pairs = [([*range(n)], [letter]) for n in (5, 6, 7) for letter in (1, 2, 3, 4)]
    monkeypatch.setattr("semalign.evaluation.likelihoods.check_logits", lambda *_: None)
    monkeypatch.setattr(model, "forward", counting)
    list(likelihoods(model, pairs, 2, 64))
    assert seen == [((2, 7), 2), ((1, 5), 1)]


def test_a_batch_has_no_more_logits_than_fit(model, monkeypatch):
    monkeypatch.setattr("semalign.evaluation.likelihoods.LARGEST", 48 * 10)
    pairs = [([*range(n)], [1, 2, 3, 4]) for n in (9, 8, 7, 6, 5)]
    batches = list(likelihoods(model, pairs, 5, 64))
    assert [len(batch) for batch in batches] == [2, 1, 2]
    for each in chain(*batches):
        assert each.value == pytest.approx(plain(model, *pairs[each.pair])[0], abs=1e-4)


def test_of_a_long_context_the_last_tokens_are_read(model):
    context = [*range(40)]
    (batch,) = likelihoods(model, [(context, [7])], 1, 10)
    assert batch[0].value == pytest.approx(plain(model, context[-10:], [7])[0], abs=1e-4)


def test_a_model_says_whether_it_can_choose(model):
    assert chooses_logits(model)
    assert not chooses_logits(torch.nn.Linear(2, 2))
