"""The Gram matrix ``W^T W`` of a head, by a symmetric update: of each pair of blocks, only one is multiplied."""

from collections import OrderedDict
from collections.abc import Iterator

import torch
from jaxtyping import Float, Int
from torch import Tensor

from semalign.tensor_files import tensor_fingerprint

CHUNK = 4096  # rows multiplied at once, and converted if they are not of the type of the products
BLOCK = 512  # columns of a block on the diagonal, which is multiplied whole
KEPT = 2  # Gram matrices in memory: a teacher's and a student's

_kept: OrderedDict[str, Tensor] = OrderedDict()  # by the fingerprint of head and rows, the latest last


def head_fingerprint(weight: Float[Tensor, "v d"], rows: Int[Tensor, " m"]) -> str:
    """Return the identity of some rows of a head."""
    return tensor_fingerprint({"head": weight, "rows": rows})


def keep_gram(fingerprint: str, square: Float[Tensor, "d d"]) -> None:
    """Keep the Gram matrix of the rows that a :func:`head_fingerprint` identifies, in the memory of the CPU."""
    _kept[fingerprint] = square.cpu()
    _kept.move_to_end(fingerprint)
    while len(_kept) > KEPT:
        _kept.popitem(last=False)


def head_gram(weight: Float[Tensor, "v d"]) -> Float[Tensor, "d d"]:
    """Return ``W^T W`` of a whole head, once for equal heads: of the latest ones it is kept, as bases keep theirs.

    It is for products in float32: except for a head in float64, it may itself come from products in float32, whose
    error is then of the size of the rounding of the result to float32.
    """
    fingerprint = head_fingerprint(weight, torch.arange(len(weight)))
    found = _kept.get(fingerprint)
    if found is None:
        found = gram(weight, torch.promote_types(weight.dtype, torch.float32))
        keep_gram(fingerprint, found)
    return found.to(weight.device)


def gram(weight: Float[Tensor, "v d"], products: torch.dtype = torch.float64) -> Float[Tensor, "d d"]:
    """Return ``W^T W``, shape (D, D), in float64, at V D^2 operations instead of 2 V D^2.

    Rows are multiplied chunk by chunk, so that no converted copy of W is made, and chunks are added up in float64.
    The rounding of float32 is relative to the sums, and the rows of a published head have much in common, which makes
    sums large. Products in float32 are therefore those of W - c, where c is about W's mean row, and the rest is added
    in float64: ``W^T W = (W - c)^T (W - c) + d^T c + c^T d + V c^T c`` with d the sum of the rows of W - c.

    Args:
        weight: a matrix W of shape (V, D).
        products: type of the products of a chunk: float64, or float32, which is about twice as fast. See
            :mod:`semalign.bases.precision` for when that is enough.
    """
    width = weight.shape[1]
    total = torch.zeros(width, width, dtype=torch.float64, device=weight.device)
    if products == torch.float32 and len(weight):
        _add_centred(total, weight)
    else:
        for rows in weight.split(CHUNK):
            _add_lower(total, rows.to(products))
    _mirror(total)
    return total


def _mirror(square: Float[Tensor, "d d"]) -> None:
    """Copy the blocks below the diagonal of a symmetric matrix to their places above it."""
    for low, high in _lower_blocks(0, len(square)):
        if low != high:
            square[high, low] = square[low, high].T


def _add_centred(total: Tensor, weight: Tensor) -> None:
    """Add the lower blocks of ``weight^T weight`` by products of rows less their mean, in float32."""
    centre = weight.mean(0).float()
    exact, difference = centre.double(), torch.zeros_like(total[0])
    for rows in weight.split(CHUNK):
        rows = rows.float() - centre
        difference += rows.sum(0)
        _add_lower(total, rows)
    half = torch.outer(difference + len(weight) / 2 * exact, exact)
    total += half + half.T


def _add_lower(total: Tensor, rows: Tensor) -> None:
    """Add the blocks of ``rows^T rows`` on and below the diagonal."""
    for low, high in _lower_blocks(0, rows.shape[1]):
        if rows.dtype == total.dtype:
            total[low, high].addmm_(rows[:, low].T, rows[:, high])
        else:
            total[low, high].add_(rows[:, low].T @ rows[:, high])


def _lower_blocks(start: int, stop: int) -> Iterator[tuple[slice, slice]]:
    """Cut the lower triangle of a square into blocks, the largest first: halves of halves, as rows and columns."""
    if stop - start <= BLOCK:
        yield slice(start, stop), slice(start, stop)
        return
    middle = (start + stop) // 2
    yield slice(middle, stop), slice(start, middle)
    yield from _lower_blocks(start, middle)
    yield from _lower_blocks(middle, stop)
