"""The pseudoinverse by way of the Gram matrix against the literal one."""

import pytest
import torch
from helpers.models import head

from semalign.bases.gram import gram
from semalign.bases.pseudoinverse import cutoff, gram_pseudoinverse


@pytest.mark.parametrize("condition", [1e2, 1e4, 1e5])
def test_an_ill_conditioned_head_is_still_exact(condition):
    u, _, v = torch.linalg.svd(head(), full_matrices=False)
    weight = u * torch.logspace(0, -torch.tensor(condition).log10().item(), 12, dtype=torch.float64) @ v
    inverse, _, rank, _ = gram_pseudoinverse(weight)
    assert rank == 12
    torch.testing.assert_close(weight @ inverse, torch.linalg.pinv(weight).T, rtol=1e-4, atol=1e-4 * condition)


def with_values(values, v=200, seed=0):
    """Return a head of known singular values, in float64."""
    u, _, w = torch.linalg.svd(head(v, len(values), seed), full_matrices=False)
    return u * torch.tensor(values, dtype=torch.float64) @ w


WELL = [1.0, 0.5, 0.2, 0.1, 0.05, 0.02]
ILL = [1.0, 1e-2, 1e-4, 1e-5, 1e-7, 1e-9]
DEFICIENT = [1.0, 0.3, 1e-3, 1e-3, 0.0, 0.0]


@pytest.mark.parametrize("rtol", [1e-13, 1e-10, 1e-8, 3e-7, 1e-6, 3e-5, 3e-3, 0.03, 0.15, 0.7])
@pytest.mark.parametrize("values", [WELL, ILL, DEFICIENT])
def test_the_cut_off_holds_whatever_the_way(values, rtol):
    weight = with_values(values)
    inverse, method, rank, _ = gram_pseudoinverse(weight, rtol)
    kept = [value for value in values if value > rtol]
    assert rank == len(kept)
    assert method in ("cholesky", "eigen", "svd") and (method != "cholesky" or rank == 6)
    expected = torch.linalg.pinv(weight, rtol=rtol).T
    # The smallest kept value is resolved to about float64's rounding over its square, or over itself by way of svd.
    precision = 1e-13 / min(kept) ** (1 if method == "svd" else 2)
    torch.testing.assert_close(weight @ inverse, expected, rtol=0, atol=10 * max(precision, 1e-13) / min(kept))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_cut_off_of_pinv_by_its_name(dtype):
    eps = torch.finfo(dtype).eps
    limit = 200 * eps
    assert cutoff(head().to(dtype), "pinv") == pytest.approx(limit)
    weight = with_values([1.0, 0.1, 3 * limit, limit / 3]).to(dtype)
    inverse, _, rank, _ = gram_pseudoinverse(weight, "pinv")
    assert rank == 3
    expected = torch.linalg.pinv(weight).T.double()  # its own default
    ours = weight.double() @ inverse
    assert (ours - expected).norm() < 0.05 * expected.norm()
    torch.testing.assert_close(ours, torch.linalg.pinv(weight.double(), rtol=limit).T, rtol=1e-2, atol=1e-2 / limit)


def test_pinvs_cut_off_at_the_size_of_a_published_head():
    weight = torch.zeros(49_152, 576)
    assert cutoff(weight, "pinv") == pytest.approx(5.859e-3, rel=1e-3)
    assert cutoff(weight.bfloat16(), "pinv") == cutoff(weight, "pinv")


def test_a_well_conditioned_head_is_inverted_as_before():
    """By Cholesky, and bit for bit the same for every cut-off that drops nothing."""
    weight = with_values(WELL)
    expected = gram_pseudoinverse(weight).inverse
    lapack = torch.cholesky_inverse(torch.linalg.cholesky(gram(weight)))
    torch.testing.assert_close(expected, lapack, rtol=1e-9, atol=1e-12 * lapack.abs().max().item())
    for rtol in (1e-12, 1e-6, 1e-3, 0.015):
        found = gram_pseudoinverse(weight, rtol)
        assert found.method == "cholesky" and torch.equal(found.inverse, expected)


def test_the_default_of_an_ill_conditioned_head_is_its_eigendecomposition_as_before():
    weight = with_values(ILL)
    eigenvalues, eigenvectors = torch.linalg.eigh(gram(weight))
    kept = eigenvalues > 1e-12 * eigenvalues.amax()
    basis = eigenvectors[:, kept]
    found = gram_pseudoinverse(weight)
    assert found.method == "eigen" and torch.equal(found.inverse, (basis / eigenvalues[kept]) @ basis.T)


def test_the_triangle_adds_up_over_chunks(monkeypatch):
    weight = with_values(ILL)
    whole = gram_pseudoinverse(weight, 1e-10)
    monkeypatch.setattr("semalign.bases.pseudoinverse.CHUNK", 7)
    chunked = gram_pseudoinverse(weight, 1e-10)
    assert whole.method == chunked.method == "svd" and whole.rank == chunked.rank == 6
    torch.testing.assert_close(weight @ chunked.inverse, weight @ whole.inverse, rtol=1e-4, atol=1e3)


def test_a_head_of_zeros_has_no_inverse():
    for rtol in (1e-6, 1e-9):
        found = gram_pseudoinverse(torch.zeros(20, 3, dtype=torch.float64), rtol)
        assert found.rank == 0 and torch.equal(found.inverse, torch.zeros(3, 3, dtype=torch.float64))


@pytest.mark.parametrize("rtol", [-1e-3, 1.0, float("nan"), float("inf")])
def test_what_is_no_cut_off_is_refused(rtol):
    with pytest.raises(ValueError, match="rtol must be a number from 0 to below 1, or 'pinv'"):
        gram_pseudoinverse(head(), rtol)
