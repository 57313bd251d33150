"""The block of a matrix that holds the most sensitivity (Appendix B.1), found without keeping elementwise sums."""

from typing import Literal, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

BlockChoice = Literal["window", "rows_columns"]
Shape = tuple[int, int]


class Block(NamedTuple):
    """A block of a matrix: the rows and columns that it keeps, in their order."""

    rows: Int[Tensor, " n"]
    columns: Int[Tensor, " m"]

    def of(self, matrix: Float[Tensor, "rows columns"]) -> Float[Tensor, "n m"]:
        """Return the block of a matrix."""
        return matrix[self.rows.to(matrix.device)[:, None], self.columns.to(matrix.device)]


def window_sums(matrix: Float[Tensor, "rows columns"], shape: Shape) -> Float[Tensor, "tops lefts"]:
    """Return the sum of every contiguous window of ``shape``, by its top left corner, from a summed-area table.

    With P[i, j] the sum of the first i rows and j columns, the window (n, m) at (i, j) sums to
    ``P[i+n, j+m] - P[i, j+m] - P[i+n, j] + P[i, j]``, in float64, where such differences stay exact enough.
    """
    (n, m), (rows, columns) = shape, matrix.shape
    table = nn.functional.pad(matrix.double().cumsum(0).cumsum(1), (1, 0, 1, 0))
    tops, lefts = rows - n + 1, columns - m + 1
    return table[n:, m:] - table[:tops, m:] - table[n:, :lefts] + table[:tops, :lefts]


class WindowScores:
    """The sum of every window: (N - n + 1) x (M - m + 1) numbers for blocks (n, m) of a matrix (N, M)."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.sums: Tensor | None = None

    def add(self, sensitivity: Float[Tensor, "rows columns"]) -> None:
        """Add the sensitivities of one example: sums of windows add up as elements do."""
        sums = window_sums(sensitivity, self.shape)
        self.sums = sums if self.sums is None else self.sums.add_(sums)

    def best(self) -> Block:
        """Return the window of the largest sum, the first of several."""
        assert self.sums is not None
        top, left = divmod(int(self.sums.argmax()), self.sums.shape[1])
        return Block(torch.arange(top, top + self.shape[0]), torch.arange(left, left + self.shape[1]))


class RowColumnScores:
    """The sums of rows and of columns: N + M numbers for a matrix (N, M)."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.sums: tuple[Tensor, Tensor] | None = None

    def add(self, sensitivity: Float[Tensor, "rows columns"]) -> None:
        """Add the sensitivities of one example."""
        rows, columns = sensitivity.double().sum(1), sensitivity.double().sum(0)
        self.sums = (rows, columns) if self.sums is None else (self.sums[0] + rows, self.sums[1] + columns)

    def best(self) -> Block:
        """Return the rows of the largest sums and the columns of the largest sums, each in their order."""
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
