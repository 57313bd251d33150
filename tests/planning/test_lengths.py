"""Lengths of rows: counted as training encodes them, estimated from characters by each part's own rate."""

import pytest
from helpers.models import make_tokenizer

from semalign.data.rows import encode
from semalign.planning import lengths
from semalign.planning.lengths import CHARACTERS, Known, lengths_of, tokenizer_of
from semalign.planning.texts import Texts

# A prompt has two characters in a token, a response one.
ROWS = [{"prompt": "ab" * (1 + i), "response": "7" * (10 - i)} for i in range(9)]
BY_HAND = [[1 + i, 10 - i] for i in range(9)]


@pytest.fixture
def pairs():
    """Return a tokenizer that has a token for ``ab``, and otherwise one for each character."""
    return make_tokenizer(words=["ab"])


def test_rows_are_counted_by_hand(pairs):
    assert lengths_of(ROWS, pairs).each.tolist() == BY_HAND
    assert lengths_of(ROWS, pairs)[1:] == ("counted", "")


@pytest.mark.parametrize("row", [{"prompt": "", "response": "77"}, {"prompt": "", "response": "7"}, *ROWS[:2]])
def test_tokens_and_positions_are_those_that_training_supervises(pairs, row):
    (example,) = encode([row], pairs, 64)
    texts = Texts.of(*lengths_of([row], pairs))
    assert (texts.tokens, texts.positions) == (len(example), len(example.positions()))


def test_a_row_that_is_longer_than_any_context_has_a_length(pairs):
    long = {"prompt": "ab" * 1000, "response": "7" * 3000}
    assert lengths_of([long], pairs).each.tolist() == [[1000, 3000]]


def test_of_many_rows_prompts_and_responses_each_have_the_characters_of_a_sample(pairs, monkeypatch):
    monkeypatch.setattr(lengths, "ENCODED", 8)
    monkeypatch.setattr(lengths, "SAMPLE", 3)
    seen = []
    monkeypatch.setattr(lengths, "encode", lambda rows, *rest: seen.append(rows) or encode(rows, *rest))
    found = lengths_of(ROWS, pairs)
    assert seen == [ROWS[::3]]
    assert found.each.tolist() == BY_HAND  # as all prompts, and all responses, are alike but for their lengths
    assert found.known == Known.ESTIMATED and found.how == "from their characters, by the tokens of 3 of 9 rows"


def test_a_sample_without_prompts_gives_no_rate(pairs, monkeypatch):
    monkeypatch.setattr(lengths, "ENCODED", 1)
    assert lengths_of([{"prompt": "", "response": "777"}] * 2, pairs).each.tolist() == [[1, 2]] * 2  # 3 positions


def test_without_a_tokenizer_a_token_has_a_stated_number_of_characters():
    found = lengths_of([{"prompt": "x" * 32, "response": "y" * 16}, {"prompt": "", "response": "y"}], None)
    assert found.each.tolist() == [[10, 5], [1, 1]]
    assert found[1:] == (Known.ESTIMATED, f"{CHARACTERS} characters a token")


def test_a_row_that_cannot_be_encoded_makes_the_lengths_an_estimate(pairs):
    pairs.eos_token = None  # so that a response of one token stands after none
    rows = [{"prompt": "", "response": "7"}, {"prompt": "x" * 32, "response": "y" * 16}]
    found = lengths_of(rows, pairs)
    assert found.each.tolist() == [[1, 1], [10, 5]]
    assert found[1:] == ("estimated", "3.2 characters a token, since the tokenizer cannot encode every row")


def test_a_model_that_is_not_here_has_no_tokenizer():
    assert tokenizer_of("nobody/no-such-model") is None
    assert tokenizer_of("micro-student") is tokenizer_of("micro-student") is not None
