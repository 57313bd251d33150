"""The map of two models is that of whole matrices in float64, and where atoms make targets there is none."""

import pytest
import torch
from helpers.models import SPECIAL, close, exact_basis, make_architecture, normal

from semalign.data.rows import encode
from semalign.models.architecture import Architecture
from semalign.models.loading import LanguageModel
from semalign.models.pair import Pair
from semalign.settings import TransferSettings
from semalign.targets import alignment
from semalign.targets.maps import MAPS, alignment_map
from semalign.targets.maps.random import random_map
from semalign.targets.pair_heads import PairHeads
from semalign.targets.pair_map import by_atoms, map_of_models


def made(teacher, student, settings, rows=()):
    return map_of_models(PairHeads(Pair(teacher, student), fold_norm=settings.fold_norm), settings, rows)


def literal(kind, teacher, student, seed):
    """The map of a pair, from whole matrices in float64."""
    s_t, s_s = exact_basis(teacher).unit, exact_basis(student).unit
    if kind == "permuted":
        order = torch.randperm(len(s_s), generator=torch.Generator().manual_seed(seed))
        return s_t.T @ s_s[order]
    if kind == "least_squares":
        return (torch.linalg.pinv(student.model.lm_head.weight) @ teacher.model.lm_head.weight).T.detach()
    if kind == "random":
        return random_map(exact_basis(teacher), exact_basis(student), seed)
    return s_t.T @ s_s


@pytest.mark.parametrize("kind", ["semantic", "permuted", "random", "least_squares"])
def test_the_map_is_that_of_the_settings(teacher, student, kind):
    found = made(teacher, student, TransferSettings(map=kind, seed=5))
    torch.testing.assert_close(found.double(), literal(kind, teacher, student, 5).double(), rtol=1e-4, atol=1e-5)


def test_the_factor_of_a_model_s_logits_is_in_the_map_that_keeps_them(teacher, student, tokenizer):
    config = {**SPECIAL["cohere"], "vocab_size": len(tokenizer), "logit_scale": 0.25}
    scaled = LanguageModel(make_architecture("cohere", **config), tokenizer)
    found = made(scaled, student, TransferSettings(map="least_squares"))
    states = torch.randn(3, 16, dtype=torch.float64)
    given = Architecture(scaled.model).logits(states)
    kept = Architecture(student.model).logits(states @ found.double())
    nearest = given @ torch.linalg.pinv(student.model.lm_head.weight.T) @ student.model.lm_head.weight.T
    torch.testing.assert_close(kept, nearest, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("fold_norm", [False, True])
def test_a_head_in_half_precision_is_not_rounded_when_that_factor_is_applied(student, tokenizer, fold_norm):
    config = {**SPECIAL["granite"], "vocab_size": len(tokenizer), "logits_scaling": 6.0}
    scaled = LanguageModel(make_architecture("granite", **config).bfloat16(), tokenizer)
    torch.nn.init.uniform_(scaled.model.model.norm.weight, 0.5, 1.5)
    settings = TransferSettings(map="least_squares", fold_norm=fold_norm)
    found = made(scaled, student, settings)
    heads = [model.model.lm_head.weight.detach().double() for model in (scaled, student)]
    if fold_norm:
        heads = [w * m.model.model.norm.weight.detach().double() for w, m in zip(heads, (scaled, student), strict=True)]
    expected = (torch.linalg.pinv(heads[1]) @ (heads[0] / 6)).T
    assert (found - expected).norm() < 1e-6 * expected.norm()


@pytest.mark.parametrize("kind", ["semantic", "permuted"])
def test_a_map_of_the_data_s_tokens_leaves_the_others_out(teacher, student, rows, kind):
    """Each token keeps the vector that it has among all."""
    used = sorted({token for example in encode(rows, student.tokenizer, 64) for token in example.input_ids})
    s_t, s_s = (exact_basis(model).unit[used] for model in (teacher, student))
    if kind == "permuted":
        s_s = s_s[torch.randperm(len(used), generator=torch.Generator().manual_seed(5))]
    found = made(teacher, student, TransferSettings(map=kind, atoms="data", seed=5), rows)
    torch.testing.assert_close(found.double(), s_t.T @ s_s, rtol=1e-4, atol=1e-5)
    assert len(used) < len(exact_basis(teacher).unit)


def test_a_map_that_needs_nothing_is_made_and_has_the_widths_of_the_models(teacher, student, monkeypatch):
    monkeypatch.setattr(MAPS, "_items", {name: MAPS[name] for name in MAPS})
    found = []
    alignment_map("mine", needs="nothing")(lambda *_: found[0])
    heads, settings = PairHeads(Pair(teacher, student)), TransferSettings(map="mine")
    found += [normal(*heads.widths), normal(*heads.widths[::-1])]
    close(map_of_models(heads, settings), found[0].float())
    found.reverse()
    with pytest.raises(ValueError, match="map 'mine' must return a matrix of shape"):
        map_of_models(heads, settings)


@pytest.mark.parametrize("given", [{"top_atoms": 3}, {"temperature": 0.1}])
def test_no_map_is_made_where_atoms_make_the_targets(teacher, student, monkeypatch, given):
    heads, settings = PairHeads(Pair(teacher, student)), TransferSettings(**given)
    monkeypatch.setattr(alignment, "alignment_map", lambda *_: pytest.fail("a map is made"))
    assert map_of_models(heads, settings) is None and by_atoms(heads, TransferSettings()) is None
    found = by_atoms(heads, settings)
    assert (found.kept, found.temperature) == (settings.top_atoms, settings.temperature)
    torch.testing.assert_close(found.student.double(), exact_basis(student).unit, rtol=1e-4, atol=1e-5)


def test_too_few_atoms_are_told_when_the_map_is_asked_for(teacher, student):
    rows = [{"prompt": "a", "response": "b"}]
    for given in ({}, {"top_atoms": 3}):
        with pytest.raises(ValueError, match="too few shared tokens"):
            made(teacher, student, TransferSettings(atoms="data", **given), rows)


@pytest.mark.parametrize("kind", ["paired", "permuted"])
def test_atoms_of_a_map_of_ones_own_are_paired_as_it_says(teacher, student, monkeypatch, kind):
    monkeypatch.setattr(MAPS, "_items", {name: MAPS[name] for name in MAPS})
    alignment_map("mine", needs="inverted_heads", atoms=kind)(lambda *_: pytest.fail("a map is made"))
    heads = PairHeads(Pair(teacher, student))
    like = {"paired": "semantic", "permuted": "permuted"}[kind]
    found, expected = (by_atoms(heads, TransferSettings(map=name, top_atoms=3, seed=5)) for name in ("mine", like))
    assert torch.equal(found.student, expected.student) and torch.equal(found.teacher, expected.teacher)
