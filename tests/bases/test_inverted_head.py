"""A head whose vectors are made when asked for, against the basis that holds them all."""

import pytest
import torch
from helpers.models import make_llama

from semalign.bases import gram
from semalign.bases.basis import SemanticBasis
from semalign.bases.inverted_head import InvertedHead
from semalign.models.loading import LanguageModel
from semalign.targets.alignment import alignment_map
from semalign.training.losses import LogitFreeCosine


def model(tokenizer, width=12, seed=0, pad=7):
    return LanguageModel(make_llama(len(tokenizer) + pad, width, 1, seed=seed), tokenizer)


@pytest.mark.parametrize("fold_norm", [False, True])
def test_vectors_and_names_are_those_of_the_basis(tokenizer, fold_norm):
    made = model(tokenizer)
    with torch.no_grad():
        made.model.model.norm.weight.uniform_(0.5, 1.5)
    basis, head = SemanticBasis.from_head(made, fold_norm=fold_norm), InvertedHead.of(made, fold_norm=fold_norm)
    assert (head.tokens, head.keys, head.width) == (basis.tokens, basis.keys, basis.width)
    assert torch.equal(head.token_ids, basis.token_ids)
    some = torch.tensor([5, 0, 3])
    for mine, theirs in ((head, basis), (head.permuted(3), basis.permuted(3)), (head.permuted(1).permuted(2), None)):
        theirs = theirs or basis.permuted(1).permuted(2)
        torch.testing.assert_close(mine.rows(some), theirs.rows(some), rtol=1e-6, atol=1e-7)


def test_the_map_of_inverted_heads_is_that_of_the_bases_and_makes_few_vectors_at_once(monkeypatch, tokenizer):
    monkeypatch.setattr("semalign.targets.alignment.CHUNK", 50)
    pair = model(tokenizer, 16, 1), model(tokenizer, 12, 2)
    asked = []
    rows = InvertedHead.rows
    monkeypatch.setattr(InvertedHead, "rows", lambda head, atoms: asked.append(len(atoms)) or rows(head, atoms))
    found = alignment_map(*map(InvertedHead.of, pair))
    assert max(asked) == 50 and sum(asked) == 2 * len(tokenizer)
    teacher, student = (
        torch.nn.functional.normalize(torch.linalg.pinv(each.model.lm_head.weight[: len(tokenizer)].double()).T, dim=1)
        for each in pair
    )
    torch.testing.assert_close(found.double(), teacher.T @ student, rtol=0, atol=1e-6 * found.abs().max().item())


def test_a_damaged_head_is_an_error(tokenizer):
    damaged = model(tokenizer)
    with torch.no_grad():
        damaged.model.lm_head.weight[3, 3] = float("nan")
    with pytest.raises(ValueError, match="NaN or infinity"):
        InvertedHead.of(damaged)


def test_the_output_cosine_takes_the_gram_matrix_of_the_basis(monkeypatch, tokenizer):
    made = model(tokenizer, pad=0)
    head = made.model.lm_head.weight.detach()
    InvertedHead.of(made)
    with monkeypatch.context() as patch:
        patch.setattr(gram, "gram", lambda *_: pytest.fail("the Gram matrix is made again"))
        found = LogitFreeCosine(head.clone()).gram
    torch.testing.assert_close(found.double(), head.double().T @ head.double(), rtol=1e-6, atol=1e-7)
    other = LogitFreeCosine(2 * head).gram
    torch.testing.assert_close(other, 4 * found)
