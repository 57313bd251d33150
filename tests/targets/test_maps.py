"""The maps that SemAlign's is compared with, in float64 against their formulas, scipy and other solvers."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.models import close, exact_basis, normal
from scipy.linalg import orthogonal_procrustes

from semalign.analysis.diagnosis.states import HeldStates
from semalign.settings import TransferSettings
from semalign.targets.alignment import alignment_map
from semalign.targets.maps import MAPS
from semalign.targets.maps import alignment_map as register
from semalign.targets.maps.least_squares import least_squares_map
from semalign.targets.maps.procrustes import procrustes_map
from semalign.targets.maps.random import random_map
from semalign.targets.maps.ridge import ridge_map
from semalign.targets.moments import Moments


def test_least_squares_is_the_pseudoinverse_formula_and_minimises_the_change_of_logits():
    w_t, w_s, h = normal(30, 7), normal(30, 5, seed=1), normal(7, seed=2)
    m = least_squares_map(w_t, w_s)
    close(m, (torch.linalg.pinv(w_s) @ w_t).T)
    close(h @ m, torch.linalg.lstsq(w_s, (w_t @ h)[:, None]).solution[:, 0])


def test_least_squares_by_hand():
    # The student's head is [[2, 0], [0, 4]], so W_S^+ halves the first logit and takes a quarter of the second.
    w_t, w_s = torch.tensor([[1.0, 2.0, 3.0], [4.0, 8.0, 12.0]]), torch.tensor([[2.0, 0.0], [0.0, 4.0]])
    torch.testing.assert_close(least_squares_map(w_t, w_s), torch.tensor([[0.5, 1.0], [1.0, 2.0], [1.5, 3.0]]).double())


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


def test_procrustes_of_few_states_is_decided_by_them_alone():
    generator = torch.Generator().manual_seed(0)
    x, y = (torch.randn(5, width, generator=generator, dtype=torch.float64) for width in (12, 9))
    m = procrustes_map(Moments(x.T @ x, x.T @ y))
    # The same states after a rotation of both spaces have the rotated map, which no arbitrary direction would give.
    turns = [torch.linalg.qr(torch.randn(n, n, generator=generator, dtype=torch.float64))[0] for n in (12, 9)]
    turned = procrustes_map(Moments((x @ turns[0]).T @ x @ turns[0], (x @ turns[0]).T @ (y @ turns[1])))
    close(turned, turns[0].T @ m @ turns[1])
    close(torch.linalg.svdvals(m), torch.tensor([1.0] * 5 + [0.0] * 4, dtype=torch.float64))


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


def test_permuted_atoms_keep_the_geometry_of_the_student(student):
    basis = exact_basis(student)
    shuffled = basis.permuted(1)
    close(alignment_map(basis, replace(shuffled, tokens=basis.tokens)).double(), basis.unit.T @ shuffled.unit)
    close(shuffled.unit.T @ shuffled.unit, basis.unit.T @ basis.unit)


def test_the_permuted_logit_map_pairs_each_token_with_another(tmp_path):
    w_t, w_s = normal(30, 7), normal(30, 5, seed=1)
    order = torch.randperm(30, generator=torch.Generator().manual_seed(3))
    made = MAPS["permuted_least_squares"].make(w_t, w_s, TransferSettings(seed=3))
    close(made, (torch.linalg.pinv(w_s[order]) @ w_t).T)


@pytest.mark.parametrize(("name", "plain"), [("permuted_procrustes", "procrustes"), ("permuted_ridge", "ridge")])
def test_maps_fitted_on_shuffled_positions(name, plain):
    x, y = normal(40, 6), normal(40, 3, seed=1)
    order = torch.randperm(40, generator=torch.Generator().manual_seed(3))
    settings = TransferSettings(seed=3, map="ridge", ridge_penalty=0.1)
    shuffled = MAPS[name].make(HeldStates([x]), HeldStates([y]), settings)
    close(shuffled, MAPS[plain].make(HeldStates([x]), HeldStates([y[order]]), settings))
    assert not torch.allclose(shuffled, MAPS[plain].make(HeldStates([x]), HeldStates([y]), settings))


@pytest.fixture
def own(monkeypatch):
    """Return a function that registers what a map returns, for the time of the test."""
    monkeypatch.setattr(MAPS, "_items", {name: MAPS[name] for name in MAPS})

    def add(returned, needs="states", into="student"):
        register("mine", needs=needs, into=into)(lambda teacher, student, settings: returned)
        return MAPS["mine"].make

    return add


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (torch.zeros(3, 6), r"shape \(6, 3\), .*; it returned \(3, 6\)"),
        (torch.zeros(6), r"shape \(6, 3\), .*; it returned \(6,\)"),
        (None, "floating-point tensor; it returned a NoneType"),
        (np.zeros((6, 3)), "floating-point tensor; it returned a ndarray"),
        (torch.ones(6, 3, dtype=torch.long), "floating-point tensor; it returned a tensor of torch.int64"),
        (torch.full((6, 3), torch.nan), "returned NaN or infinity in 18 of 18 places"),
        (torch.tensor([[1.0, torch.inf, 1.0]] * 6), "returned NaN or infinity in 6 of 18 places"),
    ],
)
def test_what_a_map_returns_is_checked(own, returned, message):
    states = HeldStates([normal(4, 6)]), HeldStates([normal(4, 3)])
    with pytest.raises(ValueError, match=f"^map 'mine' .*{message}") as error:
        own(returned)(*states, TransferSettings())
    assert "\n" not in str(error.value)


def test_a_projection_goes_the_other_way_or_is_none(own):
    states, settings = (HeldStates([normal(4, 6)]), HeldStates([normal(4, 3)])), TransferSettings()
    assert own(None, into="teacher")(*states, settings) is None
    del MAPS._items["mine"]
    assert own(torch.zeros(3, 6), into="teacher")(*states, settings).shape == (3, 6)
    del MAPS._items["mine"]
    with pytest.raises(ValueError, match=r"shape \(3, 6\), .*; it returned \(6, 3\)"):
        own(torch.zeros(6, 3), into="teacher")(*states, settings)
    del MAPS._items["mine"]
    with pytest.raises(ValueError, match="a projection into the teacher's space needs='states'"):
        own(torch.zeros(3, 6), needs="nothing", into="teacher")(None, None, settings)


def test_a_map_takes_no_gradients_along(own):
    made = own(torch.zeros(6, 3, requires_grad=True))(HeldStates([normal(4, 6)]), HeldStates([normal(4, 3)]), None)
    assert not made.requires_grad


def test_an_unknown_need_is_told_when_the_map_is_registered():
    given = [{"needs": "weights"}, {"needs": "base"}, {"needs": "states", "into": "pupil"}]
    given += [{"needs": "bases", "atoms": "pared"}, {"needs": "states", "atoms": "shared"}]
    given += [{"needs": "bases", "atoms": "paired"}]
    script = f"""from semalign.targets.maps import alignment_map
for given in {given}:
    try:
        alignment_map("mine", **given)
    except ValueError as error:
        print(error)
"""  # in a process whose types are not checked
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    known = "needs must be one of bases, inverted_heads, heads, states, nothing"
    assert told.splitlines() == [
        f"map 'mine': {known}; it is 'weights'",
        f"map 'mine': {known}; it is 'base', did you mean 'bases'?",
        "map 'mine': into must be one of student, teacher; it is 'pupil'",
        "map 'mine': atoms must be one of paired, permuted, shared; it is 'pared', did you mean 'paired'?",
        "map 'mine': with atoms='shared', needs must be bases or inverted_heads; it is 'states'",
        "map 'mine': with atoms='paired', needs must be inverted_heads; it is 'bases'",
    ]
