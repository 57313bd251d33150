"""Whether the atoms of two models correspond, and over how many directions the map spreads (Section 4.2)."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from semalign.targets.pair_heads import PairHeads
from semalign.targets.vocabularies import shared_atoms

PERMUTATIONS = 20
NORMAL = 1.96  # standard deviations of a 95% interval


class Correspondence(NamedTuple):
    """How alike two sets of vectors are whose rows belong together.

    Attributes:
        aligned: linear CKA of the rows as they are paired, from 0 to 1.
        permuted: its mean over random pairings.
        low: lower end of the 95% interval of random pairings.
        high: upper end.
    """

    aligned: float
    permuted: float
    low: float
    high: float

    @property
    def holds(self) -> bool:
        """Whether the rows belong together more than rows that are paired at random."""
        return self.aligned > self.high


def correspondence(
    teacher: Float[Tensor, "m d_teacher"], student: Float[Tensor, "m d_student"], seed: int = 0
) -> Correspondence:
    """Return the linear CKA of rows that are paired by index, beside that of :data:`PERMUTATIONS` random pairings.

    With columns centred, ``CKA = |X^T Y|_F^2 / (|X^T X|_F |Y^T Y|_F)`` (Kornblith et al. 2019). It is 1 for equal
    geometries, whatever the rotation and the scale, and about ``D / m`` for unrelated ones.

    Args:
        teacher: vectors of the teacher.
        student: vectors of the student, in the same order.
        seed: seed of the permutations.
    """
    x, y = (side.double() - side.double().mean(0) for side in (teacher, student))
    scale = (x.T @ x).norm() * (y.T @ y).norm()

    def similarity(rows: Tensor) -> float:
        return float((x.T @ rows).square().sum() / scale)

    random = torch.Generator().manual_seed(seed)
    orders = (torch.randperm(len(y), generator=random).to(y.device) for _ in range(PERMUTATIONS))
    null = torch.tensor([similarity(y[order]) for order in orders], dtype=torch.float64)
    mean, spread = float(null.mean()), NORMAL * float(null.std())
    return Correspondence(similarity(y), mean, mean - spread, mean + spread)


def correspondences(heads: PairHeads, seed: int = 0) -> dict[str, Correspondence]:
    """Return how far the shared unit ``atoms`` of a pair correspond, and the ``head`` rows that they come from.

    Args:
        heads: the heads of the pair.
        seed: seed of the permutations.
    """
    bases = heads.inverted
    atoms = [basis.rows(shared) for basis, shared in zip(bases, shared_atoms(*bases), strict=True)]
    rows = [basis.weight[ids].float() for basis, ids in zip(bases, heads.shared_ids, strict=True)]
    return {
        name: correspondence(normalize(teacher, dim=-1), normalize(student, dim=-1), seed)
        for name, (teacher, student) in {"atoms": atoms, "head": rows}.items()
    }


class SharedDirections(NamedTuple):
    """In how many directions two sets of vectors agree whose rows belong together, whatever the scale of each.

    Attributes:
        shared: number of canonical correlations above the largest of :data:`PERMUTATIONS` random pairings.
        of: number of canonical correlations, which is the smaller width.
        overlap: mean square of the canonical correlations, 1 for spaces that a linear map takes into each other.
        permuted: its mean over random pairings.
    """

    shared: int
    of: int
    overlap: float
    permuted: float


def shared_directions(
    teacher: Float[Tensor, "m d_teacher"], student: Float[Tensor, "m d_student"], seed: int = 0
) -> SharedDirections:
    """Return the canonical correlations of rows that are paired by index, beside those of random pairings.

    They are the singular values of ``U_T^T U_S``, where the columns of ``U`` are an orthonormal basis of the centred
    columns (Björck and Golub 1973). A head and its atoms span the same columns, since ``W^+ = (W^T W)^+ W^T``, so
    that both have the same canonical correlations but for the centring.

    Args:
        teacher: vectors of the teacher, of full column rank.
        student: vectors of the student, in the same order, of full column rank.
        seed: seed of the permutations.
    """
    x, y = (torch.linalg.qr(side.double() - side.double().mean(0)).Q for side in (teacher, student))
    found = torch.linalg.svdvals(x.T @ y)
    random = torch.Generator().manual_seed(seed)
    orders = [torch.randperm(len(y), generator=random).to(y.device) for _ in range(PERMUTATIONS)]
    null = torch.stack([torch.linalg.svdvals(x.T @ y[order]) for order in orders])
    return SharedDirections(
        int((found > null.max()).sum()), len(found), float(found.square().mean()), float(null.square().mean())
    )


class Energy(NamedTuple):
    """Over how many directions a map spreads.

    Attributes:
        first: share of the energy ``|M|_F^2`` in the first singular direction.
        first_ten: share in the first ten.
        directions: participation ratio ``(sum s^2)^2 / sum s^4`` of the singular values: as many equal ones would
            spread the energy alike.
    """

    first: float
    first_ten: float
    directions: float


def energy(alignment: Float[Tensor, "d_teacher d_student"]) -> Energy:
    """Return how the energy of a map is spread over its singular directions."""
    squares = torch.linalg.svdvals(alignment.double()).square()
    total = squares.sum()
    return Energy(
        float(squares[0] / total), float(squares[:10].sum() / total), float(total**2 / squares.square().sum())
    )
