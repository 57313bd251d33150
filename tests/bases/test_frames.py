"""The frame operator against the sum of projections, and expected cosines against measured ones."""

import pytest
import torch
from helpers.formulas import sum_of_projections
from torch.nn.functional import cosine_similarity

from semalign.bases.basis import SemanticBasis
from semalign.bases.frames import frame_operator, isotropic_cosine, random_basis_cosine


def test_frame_operator_is_the_sum_of_projections():
    basis = SemanticBasis.random(40, 7)
    states = torch.randn(5, 7, dtype=torch.float64)
    torch.testing.assert_close(states @ frame_operator(basis), sum_of_projections(states, basis))


@pytest.mark.parametrize(("m", "d"), [(64, 96), (4000, 96), (64, 32)])
def test_random_bases_do_as_expected(m, d):
    frame = frame_operator(SemanticBasis.random(m, d, seed=3))
    states = torch.randn(2000, d, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    measured = float(cosine_similarity(states, states @ frame, dim=-1).mean())
    assert measured == pytest.approx(random_basis_cosine(m, d), abs=0.02)
    assert measured == pytest.approx(isotropic_cosine(frame), abs=0.01)


def test_tight_frame_gives_back_the_state():
    basis = SemanticBasis(torch.eye(6), torch.arange(6))
    assert isotropic_cosine(frame_operator(basis)) == pytest.approx(1)
    assert random_basis_cosine(10**9, 6) == pytest.approx(1)
    assert random_basis_cosine(1, 100) == pytest.approx(0.1)
