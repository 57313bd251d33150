"""The inverse of a matrix from its Cholesky factor, against LAPACK's, for widths that halve unevenly."""

import pytest
import torch

from semalign.bases import cholesky, gram


@pytest.mark.parametrize("width, block", [(1, 4), (4, 4), (5, 4), (37, 4), (37, 64)])
def test_it_is_the_inverse_whatever_the_blocks(monkeypatch, width, block):
    monkeypatch.setattr(gram, "BLOCK", block)
    monkeypatch.setattr(cholesky, "BLOCK", block)
    rows = torch.randn(3 * width, width, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    square = rows.T @ rows
    found = cholesky.inverse(torch.linalg.cholesky(square))
    torch.testing.assert_close(found, torch.linalg.inv(square), rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(found, found.T, rtol=1e-12, atol=1e-15)


def test_a_triangle_is_inverted_in_place(monkeypatch):
    monkeypatch.setattr(cholesky, "BLOCK", 1)
    lower = torch.tensor([[2.0, 0.0, 0.0], [1.0, 1.0, 0.0], [0.0, 4.0, 4.0]], dtype=torch.float64)
    cholesky.invert_triangle_(lower)
    by_hand = torch.tensor([[0.5, 0.0, 0.0], [-0.5, 1.0, 0.0], [0.5, -1.0, 0.25]], dtype=torch.float64)
    torch.testing.assert_close(lower, by_hand, rtol=0, atol=1e-15)
