"""Semantic bases against the literal pseudoinverse."""

from dataclasses import replace

import pytest
import torch
from helpers.damage import damaged
from helpers.models import head, make_architecture, make_llama, make_tokenizer

from semalign.bases.basis import SemanticBasis
from semalign.files import DamagedFileError
from semalign.models.architecture import Architecture
from semalign.models.loading import LanguageModel
from semalign.tensor_files import write_tensors


def test_output_side_rows_are_columns_of_the_pseudoinverse():
    weight = head()
    basis = SemanticBasis.from_weight(weight)
    assert (basis.method, basis.rank) == ("cholesky", 12)
    torch.testing.assert_close(basis.vectors, torch.linalg.pinv(weight).T.float(), rtol=1e-6, atol=1e-7)


def test_each_vector_is_the_least_squares_solution_for_its_one_hot():
    weight = head()
    solution = torch.linalg.lstsq(weight, torch.eye(200, dtype=torch.float64)[:, 7:8]).solution[:, 0]
    torch.testing.assert_close(SemanticBasis.from_weight(weight).vectors[7], solution.float(), rtol=1e-6, atol=1e-7)


def test_a_rank_deficient_head_falls_back_to_eigendecomposition():
    weight = head()
    weight[:, 5] = weight[:, :5].sum(1)
    basis = SemanticBasis.from_weight(weight)
    assert (basis.method, basis.rank) == ("eigen", 11)
    torch.testing.assert_close(basis.vectors, torch.linalg.pinv(weight).T.float(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_damaged_head_is_an_error(value):
    weight = head()
    weight[3, 3] = value
    with pytest.raises(ValueError, match="NaN or infinity"):
        SemanticBasis.from_weight(weight)


def test_identical_rows_count_once_if_asked():
    weight = head()
    weight[[20, 30]] = weight[10].clone()
    basis = SemanticBasis.from_weight(weight, unique_rows=True)
    assert basis.token_ids.tolist() == [i for i in range(200) if i not in (20, 30)]
    unique = weight[basis.token_ids]
    torch.testing.assert_close(basis.vectors, torch.linalg.pinv(unique).T.float(), rtol=1e-6, atol=1e-7)
    assert len(SemanticBasis.from_weight(weight).vectors) == 200


@pytest.mark.parametrize("chosen", [[*range(199, -1, -1)], [0, *range(199)], [*range(200)]])
def test_vectors_are_those_of_the_rows_in_their_order(chosen):
    basis = SemanticBasis.from_weight(head(), rows=chosen)
    assert basis.token_ids.tolist() == chosen
    torch.testing.assert_close(basis.vectors, torch.linalg.pinv(head()[chosen]).T.float(), rtol=1e-5, atol=1e-6)


def test_padded_rows_are_left_out(tokenizer):
    model = make_llama(len(tokenizer) + 7, 12, 1, seed=0)
    basis = SemanticBasis.from_model(LanguageModel(model, tokenizer))
    weight = model.lm_head.weight.detach()[: len(tokenizer)]
    assert basis.tokens == tuple(tokenizer.convert_ids_to_tokens(range(len(tokenizer))))
    torch.testing.assert_close(basis.vectors, torch.linalg.pinv(weight).T.float(), rtol=1e-5, atol=1e-6)
    assert len(SemanticBasis.from_model(model).vectors) == len(tokenizer) + 7


def test_input_side_is_the_embeddings_and_tied_heads_are_noted(tokenizer):
    untied = make_llama(len(tokenizer), 12, 1, seed=0)
    basis = SemanticBasis.from_model(untied, "input")
    assert torch.equal(basis.vectors, untied.model.embed_tokens.weight.detach().float())
    assert not basis.tied
    tied = make_llama(len(tokenizer), 12, 1, seed=0, tie_word_embeddings=True)
    assert SemanticBasis.from_model(tied).tied


def test_each_side_has_a_constructor_of_its_own(tokenizer):
    model = LanguageModel(make_llama(len(tokenizer) + 7, 12, 1, seed=0), tokenizer)
    made = {
        "output": SemanticBasis.from_head(model),
        "input": SemanticBasis.from_embeddings(model),
        "random": SemanticBasis.random_like(model, seed=3),
    }
    for side, basis in made.items():
        same = SemanticBasis.from_model(model, side, seed=3)
        assert basis.side == side and len(basis.vectors) == len(tokenizer)
        assert torch.equal(basis.vectors, same.vectors)
        assert (basis.tokens, basis.fingerprint) == (same.tokens, same.fingerprint)


def test_folding_the_norm_inverts_the_head_that_the_normalised_state_meets(tokenizer):
    model = make_llama(len(tokenizer), 12, 1, seed=0)
    with torch.no_grad():
        model.model.norm.weight.uniform_(0.5, 1.5)
    folded = model.lm_head.weight.detach() * model.model.norm.weight.detach()
    basis = SemanticBasis.from_model(model, fold_norm=True)
    torch.testing.assert_close(basis.vectors, torch.linalg.pinv(folded).T.float(), rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="output side"):
        SemanticBasis.from_model(model, "input", fold_norm=True)


def test_unit_vectors_and_controls():
    basis = SemanticBasis.from_weight(head())
    torch.testing.assert_close(basis.unit.norm(dim=1), torch.ones(200))
    shuffled = basis.permuted(seed=1)
    assert not torch.equal(shuffled.vectors, basis.vectors)
    assert torch.equal(shuffled.vectors.sort(dim=0).values, basis.vectors.sort(dim=0).values)
    assert torch.equal(SemanticBasis.random(5, 3, seed=2).vectors, SemanticBasis.random(5, 3, seed=2).vectors)


def test_round_trip_through_a_file(tmp_path):
    tokenizer = make_tokenizer()
    basis = SemanticBasis.from_model(LanguageModel(make_llama(len(tokenizer), 12, 1, seed=0), tokenizer))
    basis.save(tmp_path / "basis.safetensors")
    loaded = SemanticBasis.load(tmp_path / "basis.safetensors")
    assert torch.equal(loaded.vectors, basis.vectors)
    assert torch.equal(loaded.token_ids, basis.token_ids)
    for name in ("tokens", "side", "tied", "fingerprint", "method", "rank"):
        assert getattr(loaded, name) == getattr(basis, name)
    assert [path.name for path in tmp_path.iterdir()] == ["basis.safetensors"]


def test_a_damaged_basis_is_refused_by_name(tmp_path):
    path, basis = tmp_path / "basis.safetensors", SemanticBasis.from_weight(head(v=3, d=2))
    basis.save(path)
    for what in damaged(path):
        with pytest.raises(ValueError, match=f"^{path} is damaged or holds no basis: `semalign basis` writes one$"):
            pytest.fail(f"{what}: {SemanticBasis.load(path)}")
    assert torch.equal(SemanticBasis.load(path).vectors, basis.vectors)
    write_tensors(path, {"states": torch.zeros(2)}, {})
    with pytest.raises(ValueError, match=f"^{path} is damaged or holds no basis"):
        SemanticBasis.load(path)


def test_a_basis_of_which_more_is_said_than_is_known_is_refused_in_one_line(tmp_path):
    path, basis = tmp_path / "basis.safetensors", SemanticBasis.random(3, 2)
    notes = {"side": "random", "scale": 2.0, "centred": True}
    write_tensors(path, {"vectors": basis.vectors, "token_ids": basis.token_ids}, notes)
    with pytest.raises(DamagedFileError, match=f"^{path} holds .* another version .*, with centred, scale: make"):
        SemanticBasis.load(path)
    write_tensors(path, {"vectors": basis.vectors, "token_ids": basis.token_ids}, {"side": "random"})
    assert torch.equal(SemanticBasis.load(path).vectors, basis.vectors)  # an earlier version said less


def test_tokens_come_back_whatever_they_are(tmp_path):
    tokens = ("", "a\nb", "\ud800", "ä")
    replace(SemanticBasis.random(4, 2), tokens=tokens).save(tmp_path / "basis.safetensors")
    assert SemanticBasis.load(tmp_path / "basis.safetensors").tokens == tokens


def test_a_basis_of_other_weights_is_refused(tokenizer, tmp_path):
    model, other = (LanguageModel(make_llama(len(tokenizer), 12, 1, seed=seed), tokenizer) for seed in (0, 1))
    bases = [SemanticBasis.from_head(model), SemanticBasis.from_head(model, fold_norm=True, unique_rows=True)]
    bases += [bases[0].permuted(2), SemanticBasis.from_embeddings(model), SemanticBasis.from_head(model.model)]
    for basis in bases:
        basis.check_model(model)
        with pytest.raises(ValueError, match=f"this {basis.side}-side basis was made from other weights"):
            basis.check_model(other)
    SemanticBasis.random_like(model).check_model(other)


def test_a_basis_of_a_model_without_a_layout_is_known_by_its_plain_head():
    sizes = {"hidden_size": 8, "ffn_dim": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    model = make_architecture("opt", **sizes)
    basis = SemanticBasis.from_model(model)
    basis.check_model(model)
    torch.nn.init.normal_(model.lm_head.weight)
    with pytest.raises(ValueError, match="this output-side basis was made from other weights"):
        basis.check_model(model)


def test_a_head_is_folded_only_where_the_plain_one_is_another(tokenizer, monkeypatch):
    model = LanguageModel(make_llama(len(tokenizer), 12, 1, seed=0), tokenizer)
    torch.nn.init.uniform_(model.model.model.norm.weight, 0.5, 1.5)
    plain, folded = SemanticBasis.from_head(model), SemanticBasis.from_head(model, fold_norm=True)
    calls, fold = [], Architecture.folded_head
    monkeypatch.setattr(Architecture, "folded_head", lambda self: calls.append(self) or fold(self))
    plain.check_model(model)
    assert not calls
    folded.check_model(model)
    assert len(calls) == 1


def test_the_fingerprint_follows_the_head():
    weight = head()
    before = SemanticBasis.from_weight(weight).fingerprint
    assert SemanticBasis.from_weight(weight.clone()).fingerprint == before
    assert SemanticBasis.from_weight(weight, rtol=0.6).fingerprint == before  # not how it was inverted
    assert SemanticBasis.from_weight(weight, rows=range(199)).fingerprint != before
    weight[0, 0] += 1e-9
    assert SemanticBasis.from_weight(weight).fingerprint != before


@pytest.mark.parametrize("rtol", [1e-9, 1e-4, 0.6, 0.8, "pinv"])
def test_the_cut_off_reaches_every_way_to_make_a_basis(tokenizer, rtol):
    model = make_llama(len(tokenizer), 12, 1, seed=0).float()
    literal = torch.linalg.pinv(model.lm_head.weight.detach(), **({} if rtol == "pinv" else {"rtol": rtol})).T
    made = [
        SemanticBasis.from_weight(model.lm_head.weight.detach(), rtol=rtol),
        SemanticBasis.from_head(LanguageModel(model, tokenizer), rtol=rtol),
        SemanticBasis.from_model(LanguageModel(model, tokenizer), rtol=rtol),
    ]
    for basis in made:
        torch.testing.assert_close(basis.vectors, literal, rtol=1e-4, atol=1e-5)
        assert basis.rank == 12 or rtol in (0.6, 0.8)
