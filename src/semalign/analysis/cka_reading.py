"""What a matrix of layer similarities says: is the diagonal the highest, and do two matrices show one pattern?"""

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from semalign.targets.pairing import LayerMap

NAMES = {
    "before": "before alignment",
    "after": "after alignment",
    "permuted": "alignment with permuted atoms",
    "transferred": "after transfer",
    "untrained": "untrained models",
}
Similarity = Float[Tensor, "teacher_layers student_layers"]


def near_diagonal(n_teacher: int, n_student: int, tolerance: int = 1) -> Tensor:
    """Return which pairs count as the diagonal: teacher layers within ``tolerance`` of the student layer's own.

    A boolean tensor of shape (L_T, L_S), after the pairing of Section 4.1.
    """
    own = torch.tensor([layer for _, layer in LayerMap(n_teacher, n_student)])
    return (torch.arange(1, n_teacher + 1)[:, None] - own[None, :]).abs() <= tolerance


def diagonal_share(matrix: Similarity, tolerance: int = 1) -> float:
    """Return the share of student layers whose most similar teacher layer is within ``tolerance`` of their own."""
    best = matrix.argmax(dim=0)
    near = near_diagonal(matrix.shape[0], matrix.shape[1], tolerance).to(matrix.device)
    return float(near[best, torch.arange(len(best))].double().mean())


def read_matrix(matrix: Similarity, tolerance: int = 1) -> dict[str, float]:
    """Return the numbers that answer whether the diagonal is the highest.

    ``diagonal_share`` (see :func:`diagonal_share`) beside ``chance_share``, its expectation if every student
    layer's best teacher layer were drawn at random, and the mean similarity on the diagonal and off it.
    """
    near = near_diagonal(matrix.shape[0], matrix.shape[1], tolerance).to(matrix.device)
    return {
        "diagonal_share": diagonal_share(matrix, tolerance),
        "chance_share": float(near.double().mean()),
        "diagonal_mean": float(matrix[near].mean()),
        "off_diagonal_mean": float(matrix[~near].mean()),
    }


def compare_matrices(a: Similarity, b: Similarity) -> dict[str, float]:
    """Return how alike two matrices are.

    ``correlation`` is Pearson's over all layer pairs. Where both matrices fall off with depth it is high whatever
    the pairing, so ``pairing_correlation`` is the same with the mean of each row and column taken out; and
    ``mean_difference`` is the mean of ``|a - b|``.
    """
    return {
        "correlation": _correlation(a, b),
        "pairing_correlation": _correlation(_double_centred(a), _double_centred(b)),
        "mean_difference": float((a - b).abs().mean()),
    }


def _correlation(a: Tensor, b: Tensor) -> float:
    return float(torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1])


def _double_centred(matrix: Tensor) -> Tensor:
    return matrix - matrix.mean(0, keepdim=True) - matrix.mean(1, keepdim=True) + matrix.mean()


def read_pictures(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row of readings for each picture of :func:`semalign.analysis.cka_record.cka_pictures`.

    Each picture is compared with the one ``"before"`` alignment of the same states and kernel.
    """
    keys = ["picture", "states", "kernel"]
    matrices = {key: _matrix(part) for key, part in table.groupby(keys, sort=False)}
    return pd.DataFrame(
        [
            {
                **dict(zip(keys, key, strict=True)),
                **read_matrix(matrix),
                **compare_matrices(matrices["before", *key[1:]], matrix),
            }
            for key, matrix in matrices.items()
        ]
    )


def _matrix(part: pd.DataFrame) -> Tensor:
    grid = part.pivot(index="teacher_layer", columns="student_layer", values="cka")
    return torch.tensor(grid.to_numpy(copy=True))


def answers(readings: pd.DataFrame, n_student: int, states: str = "raw") -> dict[str, list[str]]:
    """Return what the pictures say to the three questions one asks of Fig. 4, in sentences of numbers alone.

    Each question has one sentence for each kernel and picture it is about; nothing is called high or low.

    Args:
        readings: see :func:`read_pictures`.
        n_student: number of student layers, L_S.
        states: ``"raw"`` or ``"unit"``.
    """
    of_states = readings[readings["states"] == states]
    found: dict[str, list[str]] = {
        "Is the diagonal the highest?": [],
        "Is the pattern unchanged by alignment and transfer?": [],
        "What do two untrained models look like?": [],
    }
    diagonal, pattern, chance = found.values()
    for kernel, part in of_states.groupby("kernel", sort=False):
        lines = part.set_index("picture")
        diagonal += [f"{kernel}, before: {_diagonal(lines.loc['before'], n_student)}"]
        others = [picture for picture in ("after", "permuted", "transferred") if picture in lines.index]
        pattern += [f"{kernel}, {NAMES[picture]}: {_likeness(lines.loc[picture])}" for picture in others]
        chance += [
            f"{kernel}: {_diagonal(lines.loc['untrained'], n_student)}; beside the trained pair, "
            f"{_likeness(lines.loc['untrained'])}"
        ]
    return found


def _diagonal(line: pd.Series, n_student: int) -> str:
    return (
        f"for {round(line['diagonal_share'] * n_student)} of {n_student} student layers the most similar teacher layer "
        f"is within one of their own ({line['chance_share'] * n_student:.1f} by chance); "
        f"mean CKA {line['diagonal_mean']:.2f} there, {line['off_diagonal_mean']:.2f} elsewhere"
    )


def _likeness(line: pd.Series) -> str:
    return (
        f"correlation with the picture before {line['correlation']:.2f}, with row and column means taken out "
        f"{line['pairing_correlation']:.2f}, mean difference {line['mean_difference']:.3f}"
    )
