"""Where float32 is enough: measured errors are the true ones, and every vector is as exact as promised."""

import math

import pytest
import torch

from semalign.bases import precision
from semalign.bases.gram import gram
from semalign.bases.precision import PROMISE, RowProduct, full_float32, gram_error, semantic_pseudoinverse
from semalign.bases.pseudoinverse import gram_pseudoinverse, regular_inverse


def weight(condition=2.0, v=3000, d=64, common=0.0, seed=0):
    """Return a head in float32 of about this condition, in no special directions."""
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(v, d, generator=generator, dtype=torch.float64)
    turn = torch.linalg.qr(torch.randn(d, d, generator=generator, dtype=torch.float64)).Q
    values = torch.logspace(0, -math.log10(condition), d, dtype=torch.float64)
    return (drawn * values @ turn + common).float()


def relative(found, exact):
    return ((found - exact).norm() / exact.norm()).item()


@pytest.mark.parametrize("condition", [2.0, 30.0, 100.0])
def test_the_measured_error_is_the_true_one(condition):
    head = weight(condition)
    found = regular_inverse(gram(head, torch.float32), 1e-6)
    exact = head.double() @ gram_pseudoinverse(head).inverse
    assert gram_error(head, found) == pytest.approx(relative(head.double() @ found.inverse, exact), rel=0.5)
    assert gram_error(head, gram_pseudoinverse(head)) < 1e-11


@pytest.mark.parametrize(
    "head, quick",
    [(weight(), True), (weight(common=5), True), (weight(300.0), False), (weight(1e4), False), (weight(0.5), True)],
    ids=["well", "common", "ill", "very ill", "short"],
)
def test_the_condition_decides_and_the_promise_holds_for_every_row(monkeypatch, head, quick):
    made = []
    monkeypatch.setattr(precision, "gram_pseudoinverse", lambda *given: made.append(1) or gram_pseudoinverse(*given))
    found = semantic_pseudoinverse(head)
    assert bool(made) != quick and found.method == "cholesky" and found.rank == 64
    exact = torch.linalg.pinv(head.double()).T
    errors = (RowProduct(found.inverse)(head).double() - exact).norm(dim=1) / exact.norm(dim=1)
    assert errors.max() < PROMISE


@pytest.mark.parametrize("scale", [1e-30, 1e-19, 1e19, 1e30])
def test_numbers_that_float32_cannot_square_are_inverted_as_exactly(scale):
    head = weight() * scale
    exact = torch.linalg.pinv(head.double()).T
    found = RowProduct(semantic_pseudoinverse(head).inverse)(head)
    assert relative(found.double(), exact) < PROMISE


def test_float64_stays_float64():
    head = weight().double()
    found = semantic_pseudoinverse(head)
    assert torch.equal(found.inverse, gram_pseudoinverse(head).inverse)
    assert torch.equal(RowProduct(found.inverse)(head), head @ found.inverse)


def test_rows_whose_vectors_are_short_beside_them_are_made_in_float64(monkeypatch):
    matrix = torch.diag(torch.tensor([1.0, 1e-6], dtype=torch.float64))
    turn = torch.tensor([[0.6, 0.8], [-0.8, 0.6]], dtype=torch.float64)
    matrix = turn @ matrix @ turn.T
    rows = torch.tensor([[0.6, -0.8], [0.8, 0.6]], dtype=torch.float32)  # of length 1 and of length 1e-6 afterwards
    exact = rows.double() @ matrix
    errors = (RowProduct(matrix)(rows).double() - exact).norm(dim=1) / exact.norm(dim=1)
    assert errors.max() < 1e-7
    monkeypatch.setattr(precision, "OF_PRODUCT", 1.0)
    errors = (RowProduct(matrix)(rows).double() - exact).norm(dim=1) / exact.norm(dim=1)
    assert errors.min() < 1e-7 and errors.max() > 1e-4


def test_rows_of_zeros_have_vectors_of_zeros():
    made = RowProduct(torch.eye(3, dtype=torch.float64))(torch.zeros(2, 3))
    assert torch.equal(made, torch.zeros(2, 3))


def test_float32_is_multiplied_as_float32_whatever_the_caller_allows():
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("medium")
        allowed = [each.fp32_precision for each in (torch.backends.cuda.matmul, torch.backends.mkldnn.matmul)]
        with full_float32():
            assert torch.backends.cuda.matmul.fp32_precision == torch.backends.mkldnn.matmul.fp32_precision == "ieee"
        assert [torch.backends.cuda.matmul.fp32_precision, torch.backends.mkldnn.matmul.fp32_precision] == allowed
    finally:
        torch.set_float32_matmul_precision(before)
