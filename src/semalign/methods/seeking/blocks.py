"""The block of a matrix with the largest sensitivity (Appendix B.1), found without storing elementwise sums."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

Shape = tuple[int, int]


class Block(NamedTuple):
    """A block of a matrix: the indices of its rows and columns, in ascending order."""

    rows: Int[Tensor, " n"]
    columns: Int[Tensor, " m"]

    def of(self, matrix: Float[Tensor, "rows columns"]) -> Float[Tensor, "n m"]:
        """Return this block of a matrix."""
        return matrix[self.rows.to(matrix.device)[:, None], self.columns.to(matrix.device)]


def window_sums(matrix: Float[Tensor, "rows columns"], shape: Shape) -> Float[Tensor, "tops lefts"]:
    """Return the sum of every contiguous window of ``shape``, by its top left corner.

    With C[i, j] the sum of the first j numbers of row i, the m numbers of row i from column j on add up to
    ``C[i, j+m] - C[i, j]``; the windows are sums of n such numbers below each other, found in the same way. Float64
    keeps these differences of large sums accurate.

    Args:
        matrix: matrix of shape (N, M).
        shape: shape (n, m) of the windows; the result has shape (N - n + 1, M - m + 1).
    """
    n, m = shape
    along = _sums_of(m, matrix.double())  # (N, M - m + 1)
    return _sums_of(n, along.T).T


def _sums_of(number: int, rows: Float[Tensor, "rows columns"]) -> Float[Tensor, "rows starts"]:
    """Return the sums of so many numbers in a row next to each other, by the first of them."""
    sums = rows.cumsum(1)
    found = sums[:, number - 1 :].clone()
    found[:, 1:] -= sums[:, : rows.shape[1] - number]
    return found


class WindowScores:
    """The sums of all windows: (N - n + 1) x (M - m + 1) numbers for (n, m) blocks of an (N, M) matrix."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.sums: Tensor | None = None

    def add(self, sensitivity: Float[Tensor, "rows columns"]) -> None:
        """Add the sensitivities of one example; the sum of a window is linear in them."""
        sums = window_sums(sensitivity, self.shape)
        self.sums = sums if self.sums is None else self.sums.add_(sums)

    def best(self) -> Block:
        """Return the window with the largest sum, the first one if several are equal."""
        assert self.sums is not None
        top, left = divmod(int(self.sums.argmax()), self.sums.shape[1])
        return Block(torch.arange(top, top + self.shape[0]), torch.arange(left, left + self.shape[1]))


class RowColumnScores:
    """The sums of rows and of columns: N + M numbers for an (N, M) matrix."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.sums: tuple[Tensor, Tensor] | None = None

    def add(self, sensitivity: Float[Tensor, "rows columns"]) -> None:
        """Add the sensitivities of one example."""
        rows, columns = sensitivity.double().sum(1), sensitivity.double().sum(0)
        self.sums = (rows, columns) if self.sums is None else (self.sums[0] + rows, self.sums[1] + columns)

    def best(self) -> Block:
        """Return the rows with the largest sums and the columns with the largest sums, each in ascending order."""
        assert self.sums is not None
        rows, columns = (
            sums.topk(k).indices.sort().values.cpu() for sums, k in zip(self.sums, self.shape, strict=True)
        )
        return Block(rows, columns)


BlockScores = WindowScores | RowColumnScores
BLOCK_SCORES: dict[str, type[WindowScores] | type[RowColumnScores]] = {
    "window": WindowScores,
    "rows_columns": RowColumnScores,
}
