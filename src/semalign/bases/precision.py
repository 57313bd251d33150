"""Where float32 is enough for a semantic basis: the one place that decides it.

The vectors are ``s_i = w_i X`` with ``X = (W^T W)^+``. Against float64, they are to be right to :data:`PROMISE`,
relative to their length. Products of V rows come in twice, and in float32 both take half of float64's time:

- **The Gram matrix.** An error E of it changes all vectors by ``S E X``, for S = W X. What matters is how far X
  enlarges E, the condition of W squared, and how exactly the device multiplies. Both are measured: the Gram matrix in
  float32 is applied to some random vectors, and compared with ``W^T (W y)`` in float64. If the vectors' relative error
  is more than :data:`OF_GRAM`, the Gram matrix is made again in float64.
- **The product with X.** The sum of D products ``w_ij X_jk`` rounds D times; partial sums grow like a random walk, so
  that the error of s_i has a length of about ``u sqrt(D/6) |w_i|_X`` with u = 2^-24 and
  ``|w_i|_X^2 = sum_j w_ij^2 (X^2)_jj``. Relative to the length of s_i, this is a condition number of each row: rows
  for which it exceeds :data:`OF_PRODUCT` are made again in float64. Devices that add up in blocks have a smaller
  error.

Everything D x D is float64, and so is everything for a head in float64.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor

from semalign.bases.gram import gram
from semalign.bases.pseudoinverse import RTOL, Cutoff, Pseudoinverse, cutoff, gram_pseudoinverse, regular_inverse

PROMISE = 1e-5  # relative error of the vectors, against float64
OF_GRAM, OF_PRODUCT = PROMISE / 10, PROMISE / 2
PROBES = 16  # random vectors that measure the error of a Gram matrix
CHECKED = 512  # rows checked at once, few enough for a processor's cache
UNIT = torch.finfo(torch.float32).eps / 2


@contextmanager
def full_float32() -> Iterator[None]:
    """Multiply float32 as float32, and not as TF32 or bfloat16 if the caller has allowed that."""
    backends = torch.backends.cuda.matmul, torch.backends.mkldnn.matmul  # type: ignore[attr-defined]
    before = [backend.fp32_precision for backend in backends]
    for backend in backends:
        backend.fp32_precision = "ieee"
    try:
        yield
    finally:
        for backend, precision in zip(backends, before, strict=True):
            backend.fp32_precision = precision


@full_float32()
def semantic_pseudoinverse(weight: Float[Tensor, "v d"], rtol: Cutoff = RTOL) -> Pseudoinverse:
    """Return :func:`semalign.bases.pseudoinverse.gram_pseudoinverse`, from products in float32 where that is enough.

    Raises:
        ValueError: see :func:`semalign.bases.pseudoinverse.cutoff`.
    """
    limit = cutoff(weight, rtol)
    if weight.dtype != torch.float64:
        found = regular_inverse(gram(weight, torch.float32), limit)
        if found is not None and gram_error(weight, found) <= OF_GRAM:
            return found
        del found
    return gram_pseudoinverse(weight, rtol)


def gram_error(weight: Float[Tensor, "v d"], found: Pseudoinverse) -> float:
    """Estimate the relative error of the vectors ``S = W X`` that comes from an error E of the Gram matrix.

    It is ``|S E X| / |S|`` in the Frobenius norm, to first order: with random vectors z and ``r = E X z``, the mean of
    ``r^T X r`` is ``|S E X|^2``, since ``S^T S = X``.

    Args:
        weight: the head W, shape (V, D).
        found: its pseudoinverse, by an inexact Gram matrix.
    """
    inverse, generator = found.inverse, torch.Generator().manual_seed(0)
    drawn = torch.randn(len(inverse), PROBES, generator=generator, dtype=torch.float64, device="cpu")
    probes = inverse @ drawn.to(inverse.device)
    error = found.gram @ probes
    for rows in weight.split(CHECKED):
        rows = rows.double()
        error.addmm_(rows.T, rows @ probes, alpha=-1)
    return ((error * (inverse @ error)).sum() / PROBES / inverse.trace()).sqrt().item()


class RowProduct:
    """The product of rows with a D x D matrix X, in float32 where the module's rule allows it.

    Args:
        matrix: X, shape (D, D), float64.
    """

    def __init__(self, matrix: Float[Tensor, "d d"]) -> None:
        self.matrix = matrix
        self.single = matrix.float()
        growth = UNIT * (len(matrix) / 6) ** 0.5 * matrix.square().sum(1).sqrt()
        # What float32 rounds to zero is no small error: no error counts as smaller than its smallest number.
        self.growth = growth.float().clamp_min(torch.finfo(torch.float32).tiny)

    @property
    def nbytes(self) -> int:
        """The memory that it holds."""
        return self.matrix.nbytes + self.single.nbytes + self.growth.nbytes

    @full_float32()
    def __call__(self, rows: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """Return ``rows X``, float32, or float64 for rows in float64."""
        if rows.dtype == torch.float64:
            return rows @ self.matrix
        rows = rows.float()
        made = rows @ self.single
        for given, found in zip(rows.split(CHECKED), made.split(CHECKED), strict=True):
            loose = ~((given * self.growth).norm(dim=-1) < OF_PRODUCT * found.norm(dim=-1))  # also of NaN
            if loose.any():
                found[loose] = (given[loose].double() @ self.matrix).float()
        return made
