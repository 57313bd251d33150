"""Which rows of a head or of embeddings are tokens, and which of them count."""

import pytest
import torch
from helpers.models import make_llama

from semalign.bases.vocabulary import Vocabulary, atom_rows, check_weight
from semalign.models.loading import LanguageModel

WEIGHT = torch.tensor([[1.0, 0], [0, 1], [1, 0], [2, 2], [0, 1]])


def test_head_embeddings_and_tokens_of_a_model(student, tokenizer):
    found = Vocabulary.of(student)
    assert torch.equal(found.head, student.model.lm_head.weight)
    assert torch.equal(found.embeddings, student.model.model.embed_tokens.weight)
    assert found.tokens == tuple(tokenizer.convert_ids_to_tokens(list(range(len(tokenizer)))))
    assert found.rows == range(len(tokenizer)) and not found.tied


def test_padded_rows_are_no_tokens_and_without_a_tokenizer_all_rows_count(tokenizer):
    padded = make_llama(len(tokenizer) + 5, 12, 1, seed=0, tie_word_embeddings=True)
    found = Vocabulary.of(LanguageModel(padded, tokenizer))
    assert len(found.head) == len(tokenizer) + 5 and found.rows == range(len(tokenizer)) and found.tied
    bare = Vocabulary.of(padded)
    assert bare.tokens is None and bare.rows == range(len(tokenizer) + 5)


def test_of_equal_rows_the_first_counts():
    assert atom_rows(WEIGHT, None, unique_rows=True).tolist() == [0, 1, 3]
    assert atom_rows(WEIGHT, range(1, 5), unique_rows=True).tolist() == [1, 2, 3]
    assert atom_rows(WEIGHT, None, unique_rows=False).tolist() == [0, 1, 2, 3, 4]
    assert atom_rows(WEIGHT, [4, 1], unique_rows=False).tolist() == [4, 1]


@pytest.mark.parametrize("unique_rows", [True, False])
def test_no_row_at_all_is_an_error(unique_rows):
    with pytest.raises(ValueError, match="no vocabulary row is left"):
        atom_rows(WEIGHT, [], unique_rows)


def test_what_is_no_matrix_of_numbers_is_an_error():
    check_weight(WEIGHT)
    with pytest.raises(ValueError, match=r"expected a matrix of shape \(V, D\), got shape \(5,\)"):
        check_weight(WEIGHT[:, 0])
    for damage in (float("nan"), float("-inf")):
        with pytest.raises(ValueError, match="NaN or infinity"):
            check_weight(torch.cat([WEIGHT, torch.tensor([[0, damage]])]))
