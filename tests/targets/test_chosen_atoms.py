"""A part of the vocabulary as atoms: the same tokens in both models, whatever their order."""

from dataclasses import replace

import pytest
import torch

from semalign.bases.inverted_head import InvertedHead
from semalign.data.rows import encode
from semalign.targets.chosen_atoms import chosen_atoms


@pytest.fixture
def heads(teacher, student):
    return [InvertedHead.of(model) for model in (teacher, student)]


@pytest.fixture
def examples(rows, tokenizer):
    return encode(rows, tokenizer, 64)


def test_the_tokens_of_the_data_are_kept(heads, examples):
    kept = sorted({token for example in examples for token in example.input_ids})
    order = torch.randperm(len(heads[1].token_ids), generator=torch.Generator().manual_seed(3))
    shuffled = heads[1].restricted(order)
    for student in (heads[1], shuffled):
        found = chosen_atoms(heads[0], student, "data", examples, 0)
        assert [head.token_ids.tolist() for head in found] == [kept, kept]
        assert found[0].tokens == found[1].tokens == tuple(heads[0].tokens[i] for i in kept)
        for head, whole in zip(found, heads, strict=True):
            torch.testing.assert_close(head.rows(torch.arange(len(kept))), whole.rows(torch.tensor(kept)))


def test_random_tokens_are_as_many_and_follow_the_seed(heads, examples):
    size = len(chosen_atoms(*heads, "data", examples, 0)[0].token_ids)
    first, again, other = (chosen_atoms(*heads, "random", examples, seed) for seed in (1, 1, 2))
    assert len(first[0].token_ids) == size == len(set(first[0].token_ids.tolist()))
    assert first[0].tokens == first[1].tokens == again[0].tokens != other[0].tokens


def test_heads_without_token_strings_are_matched_by_position(heads, examples):
    nameless = [replace(head, tokens=None, keys=None) for head in heads]
    found = chosen_atoms(*nameless, "data", examples, 0)
    named = chosen_atoms(*heads, "data", examples, 0)
    assert [head.token_ids.tolist() for head in found] == [head.token_ids.tolist() for head in named]
