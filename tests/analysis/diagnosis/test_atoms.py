"""Correspondence of atoms against ckatorch and the literal formula, and the spread of a map by hand."""

import pytest
import torch
from helpers.models import normal

from semalign.analysis.diagnosis.atoms import correspondence, energy


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


def test_the_spread_of_a_map_by_hand():
    found = energy(torch.diag(torch.tensor([3.0, 1.0, 1.0])))  # squares 9, 1, 1
    assert found.first == pytest.approx(9 / 11) and found.first_ten == pytest.approx(1.0)
    assert found.directions == pytest.approx(121 / 83)
    assert energy(torch.eye(20)).directions == pytest.approx(20)
