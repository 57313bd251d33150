"""The maps that SemAlign's is compared with, in float64 against their formulas, scipy and other solvers."""

from dataclasses import replace

import pytest
import torch
from helpers.models import exact_basis
from scipy.linalg import orthogonal_procrustes

from semalign.settings import TransferSettings
from semalign.targets.alignment import alignment_map
from semalign.targets.builder import ModelPair
from semalign.targets.maps import Moments, least_squares_map, moments, procrustes_map, random_map, ridge_map
from semalign.targets.store import StateStore


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def store(folder, rows, lengths, name):
    made = StateStore(folder, {"name": name}, lengths, rows.shape[1], rows.dtype)
    parts = rows.split(lengths)
    made.ensure(lambda wanted: [parts[i] for i in wanted])
    return made


def close(ours, theirs):
    torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-11)


def test_least_squares_is_the_pseudoinverse_formula_and_minimises_the_change_of_logits():
    w_t, w_s, h = normal(30, 7), normal(30, 5, seed=1), normal(7, seed=2)
    m = least_squares_map(w_t, w_s)
    close(m, (torch.linalg.pinv(w_s) @ w_t).T)
    close(h @ m, torch.linalg.lstsq(w_s, (w_t @ h)[:, None]).solution[:, 0])


def test_least_squares_by_hand():
    # The student's head is [[2, 0], [0, 4]], so W_S^+ halves the first logit and takes a quarter of the second.
    w_t, w_s = torch.tensor([[1.0, 2.0, 3.0], [4.0, 8.0, 12.0]]), torch.tensor([[2.0, 0.0], [0.0, 4.0]])
    torch.testing.assert_close(least_squares_map(w_t, w_s), torch.tensor([[0.5, 1.0], [1.0, 2.0], [1.5, 3.0]]).double())


def test_moments_are_read_example_by_example(tmp_path, monkeypatch):
    monkeypatch.setattr("semalign.targets.maps.EXAMPLES", 2)
    lengths = [3, 0, 4, 5, 1]
    x, y = normal(13, 4) + 2, normal(13, 3, seed=1) - 1
    stores = store(tmp_path, x, lengths, "x"), store(tmp_path, y, lengths, "y")
    plain, centred = moments(*stores), moments(*stores, centred=True)
    close(plain.xx, x.T @ x)
    close(plain.xy, x.T @ y)
    close(centred.xx, (x - x.mean(0)).T @ (x - x.mean(0)))
    close(centred.xy, (x - x.mean(0)).T @ (y - y.mean(0)))


def test_ridge_is_the_regression_with_penalty_rows():
    x, y = normal(20, 4), normal(20, 3, seed=1)
    strength = 0.1 * x.square().sum() / 4
    stacked = torch.cat([x, strength.sqrt() * torch.eye(4, dtype=x.dtype)])
    expected = torch.linalg.lstsq(stacked, torch.cat([y, torch.zeros(4, 3, dtype=y.dtype)])).solution
    close(ridge_map(Moments(x.T @ x, x.T @ y), 0.1), expected)


def test_procrustes_agrees_with_scipy_where_widths_are_equal():
    x, y = normal(20, 4), normal(20, 4, seed=1)
    expected, _ = orthogonal_procrustes(x.numpy(), y.numpy())
    close(procrustes_map(Moments(x.T @ x, x.T @ y)), torch.from_numpy(expected))


@pytest.mark.parametrize(("wide", "narrow"), [(6, 3), (3, 6)])
def test_procrustes_between_widths_is_orthonormal_and_no_other_such_map_fits_better(wide, narrow):
    x, y = normal(20, wide), normal(20, narrow, seed=1)
    m = procrustes_map(Moments(x.T @ x, x.T @ y))
    small = min(wide, narrow)
    close(m.T @ m if wide > narrow else m @ m.T, torch.eye(small, dtype=m.dtype))
    best = torch.trace(m.T @ x.T @ y)
    for seed in range(20):
        q = torch.linalg.qr(normal(max(wide, narrow), small, seed=seed)).Q
        other = q if wide > narrow else q.T
        assert torch.trace(other.T @ x.T @ y) < best


def test_random_bases_share_nothing_and_follow_the_seed(teacher, student):
    bases = exact_basis(teacher), exact_basis(student)
    m = random_map(*bases, seed=3)
    assert torch.equal(m, random_map(*bases, seed=3))
    assert not torch.equal(m, random_map(*bases, seed=4))
    s_t, s_s = (
        torch.nn.functional.normalize(torch.randn(*b.vectors.shape, generator=torch.Generator().manual_seed(s)), dim=-1)
        for b, s in zip(bases, (6, 7), strict=True)
    )
    torch.testing.assert_close(m, s_t.T @ s_s)


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
    return torch.eye(s_t.shape[1], dtype=s_t.dtype) if kind in ("none", "learned") else s_t.T @ s_s


@pytest.mark.parametrize("kind", ["semantic", "permuted", "random", "least_squares", "none", "learned"])
def test_a_pair_gives_the_map_of_its_settings(teacher, student, kind):
    loss = "relation" if kind == "none" else "cosine"
    found = ModelPair(teacher, student, TransferSettings(map=kind, seed=5, layer_loss=loss)).alignment()
    torch.testing.assert_close(found.double(), literal(kind, teacher, student, 5).double(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["procrustes", "ridge", "learned"])
def test_fitted_maps_are_those_of_the_states_at_the_paired_layers(teacher, student, rows, tmp_path, kind):
    settings = TransferSettings(map=kind, interface="layer")
    pair = ModelPair(teacher, student, settings)
    alignment = pair.alignment()
    supervision = pair.supervision(rows, alignment, [(3, 1.0)], 2, tmp_path)
    x, y = states_of(teacher, rows, 3), states_of(student, rows, 2)
    if kind == "learned":
        assert torch.equal(supervision.alignment, torch.eye(16, dtype=torch.float64))
        close(supervision.projection, ridge_map(Moments(y.T @ y, y.T @ x), settings.ridge_penalty))
    else:
        fit = Moments(x.T @ x, x.T @ y)
        expected = procrustes_map(fit) if kind == "procrustes" else ridge_map(fit, settings.ridge_penalty)
        close(supervision.alignment, expected)
        held_out = pair.supervision(rows[:2], supervision.alignment, [(3, 1.0)], 2, tmp_path)
        assert held_out.alignment is supervision.alignment


@torch.no_grad()
def states_of(model, rows, k):
    """Outputs of layer k at the positions that predict the response, from whole forward passes."""
    from semalign.data.rows import encode

    found = []
    for example in encode(rows, model.tokenizer, 64):
        output = model.model(torch.tensor([example.input_ids]), output_hidden_states=True)
        found.append(output.hidden_states[k][0, list(example.positions())])
    return torch.cat(found)


def test_permuted_atoms_keep_the_geometry_of_the_student(student):
    basis = exact_basis(student)
    shuffled = basis.permuted(1)
    close(alignment_map(basis, replace(shuffled, tokens=basis.tokens)).double(), basis.unit.T @ shuffled.unit)
    close(shuffled.unit.T @ shuffled.unit, basis.unit.T @ basis.unit)


def test_what_cannot_go_together_is_refused():
    with pytest.raises(ValueError, match="only layer_loss 'relation' can use them"):
        TransferSettings(map="none")
    with pytest.raises(ValueError, match="trains every student layer"):
        TransferSettings(schedule="frontier", student_layer=2)
