"""Correspondence of atoms against ckatorch and the literal formula, and the spread of a map by hand."""

import pytest
import torch
from helpers.models import normal

from semalign.analysis.diagnosis.atoms import correspondence, energy, shared_directions


def test_the_similarity_is_linear_cka():
    x, y = normal(50, 6), normal(50, 4, seed=1)
    one = torch.ones(50, 1, dtype=torch.float64)
    centring = torch.eye(50, dtype=torch.float64) - one @ one.T / 50
    gram, other = (centring @ (side @ side.T) @ centring for side in (x, y))
    expected = (gram * other).sum() / (gram.norm() * other.norm())
    assert correspondence(x, y).aligned == pytest.approx(float(expected), abs=1e-12)


def test_rotated_and_scaled_rows_correspond_wholly_and_only_as_they_are_paired():
    x = normal(300, 5)
    rotation = torch.linalg.qr(normal(5, 5, seed=3)).Q
    found = correspondence(x, 7 * x @ rotation)
    assert found.aligned == pytest.approx(1.0) and found.holds
    assert found.permuted < 0.1 and found.low < found.permuted < found.high < 0.2


def test_unrelated_rows_do_not_correspond():
    found = correspondence(normal(300, 5), normal(300, 5, seed=9))
    assert not found.holds and found.aligned == pytest.approx(found.permuted, abs=0.03)


def test_canonical_correlations_are_those_of_hotelling():
    x, noise = normal(200, 5), normal(200, 3, seed=1)
    y = x[:, :3] + noise
    covariance = torch.cov(torch.cat([x, y], dim=1).T)
    xx, xy, yy = covariance[:5, :5], covariance[:5, 5:], covariance[5:, 5:]
    squares = torch.linalg.eigvals(yy.inverse() @ xy.T @ xx.inverse() @ xy).real  # Hotelling 1936
    found = shared_directions(x, y)
    assert (found.shared, found.of) == (3, 3)
    assert found.overlap == pytest.approx(float(squares.mean()), abs=1e-12)


def test_directions_count_whatever_their_scale_and_only_if_both_have_them():
    x, own = normal(400, 4), normal(400, 3, seed=2)
    mixed = torch.cat([1e3 * x[:, :2], 1e-3 * own], dim=1) @ normal(5, 5, seed=3)
    found = shared_directions(x, mixed)
    assert (found.shared, found.of) == (2, 4)
    assert found.permuted < 0.05 < 0.5 < found.overlap < 0.55
    assert shared_directions(x, own).shared == 0


def test_a_head_and_its_atoms_have_the_same_directions():
    head, other = (side - side.mean(0) for side in (normal(60, 5), normal(60, 4, seed=1)))
    atoms = shared_directions(torch.linalg.pinv(head).T, torch.linalg.pinv(other).T)
    assert atoms.overlap == pytest.approx(shared_directions(head, other).overlap, abs=1e-9)


def test_the_spread_of_a_map_by_hand():
    found = energy(torch.diag(torch.tensor([3.0, 1.0, 1.0])))  # squares 9, 1, 1
    assert found.first == pytest.approx(9 / 11) and found.first_ten == pytest.approx(1.0)
    assert found.directions == pytest.approx(121 / 83)
    assert energy(torch.eye(20)).directions == pytest.approx(20)
