"""The Gram matrix by blocks and chunks against the product, in float64 and in float32."""

import pytest
import torch
from helpers.models import head

from semalign.bases.gram import gram


@pytest.mark.parametrize("width", [1, 12, 37])
@pytest.mark.parametrize("block", [1, 5, 512])
def test_blocks_and_chunks_add_up(monkeypatch, width, block):
    monkeypatch.setattr("semalign.bases.gram.CHUNK", 7)
    monkeypatch.setattr("semalign.bases.gram.BLOCK", block)
    weight = head(d=width)
    found = gram(weight)
    torch.testing.assert_close(found, weight.T @ weight)
    assert torch.equal(found, found.T)
    torch.testing.assert_close(gram(weight.float(), torch.float32), weight.T @ weight, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_what_rows_have_in_common_costs_no_precision(dtype):
    """The error of products in float32 is that of the rows without their mean, a thousandth of what it would be."""
    weight = (head() + 1000).to(dtype)
    exact = weight.double().T @ weight.double()
    for products in (torch.float32, torch.float64):
        found = gram(weight, products)
        assert found.dtype == torch.float64
        torch.testing.assert_close(found, exact, rtol=0, atol=1e-9 * exact.max().item())


def test_no_rows_have_a_gram_matrix_of_zeros():
    for products in (torch.float32, torch.float64):
        assert torch.equal(gram(torch.zeros(0, 3), products), torch.zeros(3, 3, dtype=torch.float64))
