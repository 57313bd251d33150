"""The choice of a block against brute force."""

import pytest
import torch
from helpers.seeking import best_rows_and_columns, best_window

from semalign.methods.seeking.blocks import RowColumnScores, WindowScores, window_sums


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (5, 1), (1, 7), (5, 7), (4, 6)])
def test_block_choice_is_that_of_brute_force(shape):
    parts = torch.rand(3, 5, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    windows, crossings = WindowScores(shape), RowColumnScores(shape)
    for part in parts:
        windows.add(part)
        crossings.add(part)
    whole = parts.sum(0)
    top, left = best_window(whole, shape)
    assert torch.equal(windows.best().of(whole), whole[top : top + shape[0], left : left + shape[1]])
    rows, columns = best_rows_and_columns(whole, shape)
    assert torch.equal(crossings.best().of(whole), whole[rows][:, columns])


def test_window_sums_of_a_small_matrix():
    matrix = torch.tensor([[1.0, 2, 3], [4, 5, 6], [7, 8, 9]])
    assert window_sums(matrix, (2, 2)).tolist() == [[12, 16], [24, 28]]
    assert window_sums(matrix, (3, 3)).tolist() == [[45]]
    assert torch.equal(window_sums(matrix, (1, 1)), matrix.double())
