"""Numbers that sum up a matrix of layer similarities: is the diagonal the highest, and do two matrices agree?"""

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from semalign.targets.pairing import LayerMap

CONDITIONS = {
    "before": "before alignment",
    "after": "after alignment",
    "permuted": "alignment with permuted atoms",
    "transferred": "after transfer",
    "untrained": "untrained models",
}
"""The conditions under which CKA is measured, and how they are called in tables; see `measure_conditions`."""

KEYS = ["condition", "states", "kernel"]  # columns that name one matrix
Similarity = Float[Tensor, "teacher_layers student_layers"]


def near_diagonal(n_teacher: int, n_student: int, tolerance: int = 1) -> Tensor:
    """Return which pairs count as the diagonal: teacher layers within ``tolerance`` of the student layer's partner.

    A boolean tensor of shape (L_T, L_S), after the pairing of Section 4.1.
    """
    partner = torch.tensor([layer for _, layer in LayerMap(n_teacher, n_student)])
    return (torch.arange(1, n_teacher + 1)[:, None] - partner[None, :]).abs() <= tolerance  # (L_T, 1) - (1, L_S)


def diagonal_share(matrix: Similarity, tolerance: int = 1) -> float:
    """Return the share of student layers whose most similar teacher layer is within ``tolerance`` of their partner."""
    best = matrix.argmax(dim=0)
    near = near_diagonal(matrix.shape[0], matrix.shape[1], tolerance).to(matrix.device)
    return float(near[best, torch.arange(len(best))].double().mean())


def summarise_matrix(matrix: Similarity, tolerance: int = 1) -> dict[str, float]:
    """Return numbers that tell whether the diagonal is the highest.

    ``diagonal_share``: see :func:`diagonal_share`. ``chance_share``: its expectation if the best teacher layer of every
    student layer were drawn at random. ``diagonal_mean`` and ``off_diagonal_mean``: the mean similarity on the diagonal
    and off it.
    """
    near = near_diagonal(matrix.shape[0], matrix.shape[1], tolerance).to(matrix.device)
    return {
        "diagonal_share": diagonal_share(matrix, tolerance),
        "chance_share": float(near.double().mean()),
        "diagonal_mean": float(matrix[near].mean()),
        "off_diagonal_mean": float(matrix[~near].mean()),
    }


def compare_matrices(a: Similarity, b: Similarity) -> dict[str, float]:
    """Return how well two matrices agree.

    ``correlation`` is Pearson's over all layer pairs. Where similarity falls off with depth in both matrices, it is
    high for any pairing of layers; ``pairing_correlation`` is therefore the same after the mean of each row and column
    has been taken out. ``mean_difference`` is the mean of ``|a - b|``.
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


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """Return one line of numbers for each matrix of :func:`semalign.analysis.cka_figure.measure_conditions`.

    Each matrix is compared with the one ``"before"`` alignment of the same states and kernel.
    """
    matrices = {key: _matrix(part) for key, part in table.groupby(KEYS, sort=False)}
    lines = [
        {
            **dict(zip(KEYS, key, strict=True)),
            **summarise_matrix(matrix),
            **compare_matrices(matrices["before", *key[1:]], matrix),
        }
        for key, matrix in matrices.items()
    ]
    return pd.DataFrame(lines)


def _matrix(part: pd.DataFrame) -> Tensor:
    grid = part.pivot(index="teacher_layer", columns="student_layer", values="cka")
    return torch.tensor(grid.to_numpy(copy=True))


def findings(summary: pd.DataFrame, n_student: int, states: str = "raw") -> dict[str, list[str]]:
    """Return sentences for three questions about Fig. 4, made of numbers alone: nothing is called high or low.

    Each question has one sentence for each kernel and each condition that it is about.

    Args:
        summary: see :func:`summarise`.
        n_student: number of student layers, L_S.
        states: ``"raw"`` or ``"unit"``.
    """
    of_states = summary[summary["states"] == states]
    diagonal, pattern, chance = [], [], []
    for kernel, part in of_states.groupby("kernel", sort=False):
        lines = part.set_index("condition")
        diagonal.append(f"{kernel}, before: {_diagonal(lines.loc['before'], n_student)}")
        others = [condition for condition in ("after", "permuted", "transferred") if condition in lines.index]
        pattern += [f"{kernel}, {CONDITIONS[condition]}: {_agreement(lines.loc[condition])}" for condition in others]
        untrained = lines.loc["untrained"]
        chance.append(f"{kernel}: {_diagonal(untrained, n_student)}; {_agreement(untrained)}")
    return {
        "Is the diagonal the highest?": diagonal,
        "Is the pattern unchanged by alignment and transfer?": pattern,
        "What do two untrained models look like?": chance,
    }


def diagonal_lines(table: pd.DataFrame) -> list[str]:
    """Return a sentence for each condition but the transfer, with the numbers of its matrices in the table's order.

    Args:
        table: see :func:`semalign.analysis.cka_figure.measure_conditions`.
    """
    summary, n_student = summarise(table), int(table["student_layer"].max())
    lines = []
    for condition, part in summary[summary["condition"] != "transferred"].groupby("condition", sort=False):
        near = ", ".join(str(round(share * n_student)) for share in part["diagonal_share"])
        pattern = ", ".join(f"{value:.2f}" for value in part["pairing_correlation"])
        means = f"mean CKA {part['diagonal_mean'].iloc[0]:.2f} there, {part['off_diagonal_mean'].iloc[0]:.2f} elsewhere"
        agreement = "" if condition == "before" else f"; agreement with the pattern before {pattern}"
        lines.append(f"{CONDITIONS[str(condition)]}: {near} of {n_student} layers; {means}{agreement}")
    return lines


def _diagonal(line: pd.Series, n_student: int) -> str:
    return (
        f"for {round(line['diagonal_share'] * n_student)} of {n_student} student layers the most similar teacher layer "
        f"is within one of their partner ({line['chance_share'] * n_student:.1f} by chance); "
        f"mean CKA {line['diagonal_mean']:.2f} there, {line['off_diagonal_mean']:.2f} elsewhere"
    )


def _agreement(line: pd.Series) -> str:
    return (
        f"correlation with the trained pair before alignment {line['correlation']:.2f}, with row and column means "
        f"taken out {line['pairing_correlation']:.2f}, mean difference {line['mean_difference']:.3f}"
    )
