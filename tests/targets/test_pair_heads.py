"""What is taken of the heads of two models: inverses, shared tokens and their rows, and nothing of the layers."""

import pytest
import torch
from helpers.models import make_llama, make_tokenizer

from semalign.bases.basis import SemanticBasis
from semalign.models.loading import LanguageModel
from semalign.models.pair import Pair
from semalign.targets.pair_heads import PairHeads
from semalign.targets.vocabularies import shared_atoms


@pytest.fixture
def other():
    """A teacher whose tokenizer has other tokens beside those of the student, in another order."""
    tokenizer = make_tokenizer(words=["is", "at"])
    return LanguageModel(make_llama(len(tokenizer), 16, 5, seed=1), tokenizer)


def test_shared_tokens_have_the_same_strings_and_their_rows_are_those_of_the_heads(other, student):
    heads = PairHeads(Pair(other, student))
    tokens = [
        model.tokenizer.convert_ids_to_tokens(ids.tolist())
        for model, ids in zip((other, student), heads.shared_ids, strict=True)
    ]
    assert tokens[0] == tokens[1] and heads.shared_ids[0].tolist() != heads.shared_ids[1].tolist()
    for model, ids, rows in zip((other, student), heads.shared_ids, heads.shared_rows, strict=True):
        assert torch.equal(rows, model.model.lm_head.weight.detach()[ids])
    assert heads.widths == (16, 12)


@pytest.mark.parametrize("fold_norm", [False, True])
def test_inverses_make_the_vectors_of_the_bases(teacher, student, fold_norm):
    for model in (teacher, student):
        torch.nn.init.uniform_(model.model.model.norm.weight, 0.5, 1.5)
    heads = PairHeads(Pair(teacher, student), fold_norm=fold_norm)
    for model, inverted, basis in zip((teacher, student), heads.inverted, heads.bases, strict=True):
        expected = SemanticBasis.from_head(model, fold_norm=fold_norm)
        assert torch.equal(basis.vectors, expected.vectors) and basis.fingerprint == expected.fingerprint
        torch.testing.assert_close(inverted.rows(torch.arange(5)), expected.vectors[:5])


def test_the_layers_of_a_model_by_name_are_not_read(other, student, tmp_path, monkeypatch):
    paths = [tmp_path / "teacher", tmp_path / "student"]
    for path, each in zip(paths, (other, student), strict=True):
        each.model.save_pretrained(path)
        each.tokenizer.save_pretrained(path)
    heads = PairHeads(Pair(*paths))
    for found in heads.architectures:
        assert found.layer(1).mlp.up_proj.weight.is_meta and not found.head_weight.is_meta
    found, expected = shared_atoms(*heads.inverted), shared_atoms(*PairHeads(Pair(other, student)).inverted)
    assert all(map(torch.equal, found, expected))


def test_damage_and_strangers_are_told(teacher, student):
    alien = make_tokenizer(words=[])
    alien.add_tokens([f"<{i}>" for i in range(50)])
    stranger = LanguageModel(make_llama(len(alien), 64, 5, seed=1), alien)
    with pytest.raises(ValueError, match="too few shared tokens"):
        PairHeads(Pair(stranger, student)).shared_ids  # noqa: B018
    with torch.no_grad():
        teacher.model.lm_head.weight[3, 3] = torch.nan
    with pytest.raises(ValueError, match="NaN or infinity"):
        PairHeads(Pair(teacher, student))
