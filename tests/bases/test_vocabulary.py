"""Which rows of a head or of embeddings are tokens, and which of them count."""

import pytest
import torch
from helpers.models import make_llama
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

from semalign.bases.basis import SemanticBasis
from semalign.bases.token_keys import TokenNames
from semalign.bases.vocabulary import Vocabulary, atom_rows, check_weight
from semalign.models.loading import LanguageModel
from semalign.tensor_files import write_tensors

WEIGHT = torch.tensor([[1.0, 0], [0, 1], [1, 0], [2, 2], [0, 1]])


def test_head_embeddings_and_tokens_of_a_model(student, tokenizer):
    found = Vocabulary.of(student)
    assert torch.equal(found.head, student.model.lm_head.weight)
    assert torch.equal(found.embeddings, student.model.model.embed_tokens.weight)
    assert list(found.names.tokens) == tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
    assert list(found.rows) == list(range(len(tokenizer))) and not found.tied


def test_padded_rows_are_no_tokens_and_without_a_tokenizer_all_rows_count(tokenizer):
    padded = make_llama(len(tokenizer) + 5, 12, 1, seed=0, tie_word_embeddings=True)
    found = Vocabulary.of(LanguageModel(padded, tokenizer))
    assert len(found.head) == len(tokenizer) + 5 and list(found.rows) == list(range(len(tokenizer))) and found.tied
    bare = Vocabulary.of(padded)
    assert bare.names is None and bare.rows == range(len(tokenizer) + 5)


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


def with_gaps():
    """A tokenizer with nothing at 2 and 4, an empty token at 3, and a token beyond the model's rows."""
    vocabulary = {"a": 0, "b": 1, "": 3, "c": 5, "d": 6}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="a"))
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="b")


def test_gaps_in_the_ids_are_no_atoms_and_later_tokens_keep_their_rows():
    model = make_llama(6, 4, 1, seed=0, eos_token_id=1, pad_token_id=0)
    found = Vocabulary.of(LanguageModel(model, with_gaps()))
    assert found.names == ((0, 1, 3, 5), ("a", "b", "", "c"), None) and found.rows == (0, 1, 3, 5)
    for side in ("output", "input", "random"):
        basis = SemanticBasis.from_model(LanguageModel(model, with_gaps()), side)
        assert basis.tokens == ("a", "b", "", "c") and basis.token_ids.tolist() == [0, 1, 3, 5]
    expected = torch.linalg.pinv(model.lm_head.weight[[0, 1, 3, 5]]).T
    vectors = SemanticBasis.from_model(LanguageModel(model, with_gaps())).vectors
    torch.testing.assert_close(vectors.double(), expected, rtol=1e-5, atol=1e-6)


def test_a_slow_tokenizer_names_only_what_it_has(monkeypatch):
    slow = with_gaps()
    monkeypatch.setattr(type(slow), "is_fast", False)
    monkeypatch.setattr(
        slow, "convert_ids_to_tokens", lambda ids: [{0: "a", 1: "b", 3: "", 5: "c"}.get(i, "?") for i in ids]
    )
    assert Vocabulary.of(LanguageModel(make_llama(6, 4, 1, 0), slow)).names == ((0, 1, 3, 5), ("a", "b", "", "c"), None)


def test_a_basis_keeps_an_empty_token_on_disk(tmp_path):
    basis = SemanticBasis.from_model(LanguageModel(make_llama(6, 4, 1, seed=0), with_gaps()))
    basis.save(tmp_path / "basis.safetensors")
    assert SemanticBasis.load(tmp_path / "basis.safetensors").tokens == basis.tokens


def test_a_basis_carries_what_its_tokens_stand_for_and_reads_files_without_it(student, tmp_path):
    basis = SemanticBasis.from_model(student)
    assert basis.keys == TokenNames.of(student.tokenizer, len(student.tokenizer)).keys and basis.keys is not None
    basis.save(tmp_path / "basis.safetensors")
    assert SemanticBasis.load(tmp_path / "basis.safetensors").keys == basis.keys
    notes = {name: getattr(basis, name) for name in ("tokens", "side", "tied", "fingerprint", "method", "rank")}
    write_tensors(tmp_path / "old", {"vectors": basis.vectors, "token_ids": basis.token_ids}, notes)
    old = SemanticBasis.load(tmp_path / "old")
    assert old.keys is None and old.tokens == basis.tokens
