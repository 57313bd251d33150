import random

import numpy as np
import pytest

from semalign.micro import benchmarks, corpus, function_family, knowledge


@pytest.mark.slow
def test_no_benchmark_row_occurs_in_its_form():
    rng = random.Random(0)
    for name in benchmarks.ROWS:
        kind = name.removeprefix("micro-")
        rows = [row for split in benchmarks.SPLITS for row in benchmarks.ROWS[name](split)]
        reserved = {benchmarks.prompt_and_response(name, row)[0] for row in rows}
        assert not any(corpus.KINDS[kind](rng)[0] in reserved for _ in range(1000))


@pytest.mark.slow
def test_pools_hold_no_benchmark_fact_or_function():
    facts, functions = knowledge.fact_splits(), function_family.function_splits()
    for splits in (facts, functions):
        pool = set(splits["pool"])
        assert pool and not any(pool & set(members) for name, members in splits.items() if name != "pool")


def test_reserved_word_problem_is_drawn_again(monkeypatch):
    first = corpus.KINDS["gsm8k"](random.Random(5))
    question = first[0].split("Question: ")[1].split("\nAnswer:")[0]
    monkeypatch.setattr(benchmarks, "held_out_questions", lambda: frozenset({question}))
    assert corpus.KINDS["gsm8k"](random.Random(5)) != first


@pytest.mark.slow
def test_rows_depend_on_seed_and_index_alone(tokenizer):
    mixture = dict.fromkeys(corpus.KINDS, 1.0)
    row, weights = corpus.packed_row(mixture, 3, 8, 64, tokenizer)
    assert row.shape == weights.shape == (64,)
    assert np.array_equal(row, corpus.packed_row(mixture, 3, 8, 64, tokenizer)[0])
    assert not np.array_equal(row, corpus.packed_row(mixture, 3, 9, 64, tokenizer)[0])
    assert not np.array_equal(row, corpus.packed_row(mixture, 4, 8, 64, tokenizer)[0])


def test_document_is_encoded_as_prompt_then_response_then_end(tokenizer):
    ids, weights = corpus.encode(("Answer:", " B"), tokenizer, prompt_weight=0.1, least_weight=1.0)
    assert ids == [*tokenizer.encode("Answer:"), *tokenizer.encode(" B"), tokenizer.eos_token_id]
    assert weights == [0.1, 0.1, 1, 1]


def test_short_responses_weigh_as_much_as_longer_ones(tokenizer):
    weights = corpus.encode(("Q:", " B", "Q:", " a b a b"), tokenizer, prompt_weight=0.0, least_weight=4.0)[1]
    assert [weight for weight in weights if weight] == [4, 1, 1, 1, 1, 1]
    weights = corpus.encode(("", " a b a b a"), tokenizer, prompt_weight=0.0, least_weight=4.0)[1]
    assert weights == [1, 1, 1, 1, 1, 1]


@pytest.mark.slow
@pytest.mark.parametrize("kind", corpus.KINDS)
def test_documents_of_every_kind_encode_in_pieces_like_the_whole(tokenizer, kind):
    rng = random.Random(7)
    for _ in range(20):
        document = corpus.KINDS[kind](rng)
        assert corpus.encode(document, tokenizer, 1.0, 1.0)[0][:-1] == tokenizer.encode("".join(document))
