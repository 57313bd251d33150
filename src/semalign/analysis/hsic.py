"""Centered kernel alignment of all pairs of two stacks of representations, with unbiased HSIC over minibatches.

CKA is due to Kornblith et al. (2019), the unbiased HSIC to Song et al. (2012), its use over minibatches to
Nguyen et al. (2021).
"""

from itertools import zip_longest

import torch
from jaxtyping import Float
from torch import Tensor

KERNELS = ("linear", "rbf")
FEWEST_ROWS = 4  # the unbiased HSIC divides by n - 3


def inner_products(rows: Float[Tensor, "layers n d"]) -> Float[Tensor, "layers n n"]:
    """Return ``X X^T`` of each layer's centred rows X, in float64; one layer at a time, as D may be large."""
    products = rows.new_empty(len(rows), rows.shape[1], rows.shape[1], dtype=torch.float64)
    for layer, product in zip(rows, products, strict=True):
        centred = layer.double() - layer.mean(0, dtype=torch.float64)
        torch.matmul(centred, centred.T, out=product)
    return products


def squared_distances(rows: Float[Tensor, "layers n d"]) -> Float[Tensor, "layers n n"]:
    """Return ``|x_i - x_j|^2`` of each layer's rows."""
    products = inner_products(rows)
    norms = products.diagonal(dim1=1, dim2=2)
    return (norms[:, :, None] + norms[:, None, :] - 2 * products).clamp_min(0)


def median_bandwidth(rows: Float[Tensor, "layers n d"], fraction: float = 1.0) -> Float[Tensor, " layers"]:
    """Return ``sigma = fraction * median |x_i - x_j|`` of each layer, over all n x n distances.

    Kornblith et al. (2019) set sigma as a fraction of the median distance, which makes RBF CKA invariant to
    isotropic scaling; as in their code, the zeros on the diagonal count.
    """
    return fraction * squared_distances(rows).flatten(1).median(-1).values.sqrt()


def gram(
    rows: Float[Tensor, "layers n d"], kernel: str = "linear", bandwidth: Float[Tensor, " layers"] | None = None
) -> Float[Tensor, "layers n n"]:
    """Return each layer's Gram matrix in float64, up to terms that do not change HSIC.

    Rows are centred and the RBF kernel has 1 taken away, so that a large constant costs no digits.

    Args:
        rows: one representation in each row, shape (layers, n, D).
        kernel: ``"linear"``: ``x . y``; ``"rbf"``: ``exp(-|x - y|^2 / (2 sigma^2)) - 1``.
        bandwidth: sigma of each layer, by default :func:`median_bandwidth` of these rows; RBF only.
    """
    if kernel == "linear":
        return inner_products(rows)
    sigma = median_bandwidth(rows) if bandwidth is None else bandwidth
    scale = (2 * sigma.square()).clamp_min(torch.finfo(torch.float64).tiny)
    return torch.expm1(-squared_distances(rows) / scale[:, None, None])


def u_centred(grams: Float[Tensor, "layers n n"]) -> Float[Tensor, "layers n n"]:
    """Return Gram matrices with zero diagonal and rows that sum to zero; the unbiased HSIC is a product of two.

    With row sums r and total s of K without its diagonal, entries off the diagonal become
    ``K_ij - (r_i + r_j) / (n - 2) + s / ((n - 1)(n - 2))``.
    """
    return u_centre_(grams.clone())


def u_centre_(grams: Float[Tensor, "layers n n"]) -> Float[Tensor, "layers n n"]:
    """Do what :func:`u_centred` does in place, one matrix at a time, which a cache may hold."""
    n = grams.shape[-1]
    for matrix in grams:
        matrix.fill_diagonal_(0)
        offsets = matrix.sum(-1) / (n - 2)
        offsets -= offsets.sum() / (2 * (n - 1))
        matrix.sub_(offsets[:, None]).sub_(offsets)
        matrix.fill_diagonal_(0)
    return grams


class MinibatchCKA:
    """CKA of all pairs of teacher and student layers, from minibatches of any number.

    For Gram matrices K, L of n rows, K' and L' the same with zero diagonal,

    ``HSIC_1(K, L) = [tr(K'L') + (1'K'1)(1'L'1) / ((n-1)(n-2)) - 2 (1'K'L'1) / (n-2)] / (n (n-3))``

    is unbiased where the rows are independent draws. It equals the entrywise product of the two
    :func:`u_centred` matrices over ``n (n-3)``, so that all pairs are one matrix product. With means over
    minibatches, ``CKA = mean HSIC_1(K, L) / sqrt(mean HSIC_1(K, K) * mean HSIC_1(L, L))``, at most 1; near 0 it
    may be negative. A layer that is constant over all rows has no CKA: NaN.

    Args:
        kernel: ``"linear"`` or ``"rbf"``.
        fraction: sigma of the RBF kernel as a fraction of each layer's median distance. It is set on the first
            minibatch and kept, so that all minibatches estimate the CKA of one kernel.

    Raises:
        ValueError: for an unknown kernel or a fraction that is not positive.
    """

    def __init__(self, kernel: str = "linear", fraction: float = 1.0) -> None:
        if kernel not in KERNELS:
            raise ValueError(f"unknown kernel {kernel!r}: choose one of {', '.join(KERNELS)}")
        if not fraction > 0:
            raise ValueError(f"fraction of the median distance must be positive; it is {fraction}")
        self.kernel, self.fraction = kernel, fraction
        self.rows = 0
        self._bandwidths: list[Tensor] = []
        self._sums: list[Tensor] = []

    def add(
        self,
        teacher: Float[Tensor, "teacher_layers n d_teacher"],
        student: Float[Tensor, "student_layers n d_student"],
    ) -> None:
        """Add one minibatch, whose i-th rows belong together; ``ValueError`` for fewer than 4 rows."""
        n = teacher.shape[1]
        if n < FEWEST_ROWS:
            raise ValueError(f"a minibatch of {n} rows: the unbiased HSIC needs at least {FEWEST_ROWS}")
        sides = [teacher, student]
        if self.kernel == "rbf" and not self._bandwidths:
            self._bandwidths = [median_bandwidth(side, self.fraction) for side in sides]
        # Flattened, each matrix is a vector of n^2 numbers: all pairs of layers are then one matrix product.
        first, second = (
            u_centre_(gram(side, self.kernel, sigma)).flatten(1) for side, sigma in zip_longest(sides, self._bandwidths)
        )
        products = [first @ second.T, first.square().sum(-1), second.square().sum(-1)]
        means = [product / (n * (n - 3)) for product in products]
        self._sums = [a + b for a, b in zip(self._sums, means, strict=True)] if self._sums else means
        self.rows += n

    def matrix(self) -> Float[Tensor, "teacher_layers student_layers"]:
        """Return CKA of all pairs so far, in float64; ``ValueError`` before the first minibatch."""
        if not self._sums:
            raise ValueError("no minibatch was added yet")
        cross, teacher, student = self._sums
        return cross / (teacher[:, None] * student[None, :]).sqrt()


def cka(x: Float[Tensor, "n d_x"], y: Float[Tensor, "n d_y"], kernel: str = "linear", fraction: float = 1.0) -> float:
    """Return the CKA of two representations of the same n inputs, by the unbiased HSIC; see :class:`MinibatchCKA`."""
    measure = MinibatchCKA(kernel, fraction)
    measure.add(x[None], y[None])
    return float(measure.matrix())
