"""The summary of matrices small enough to read by eye."""

import pandas as pd
import pytest
import torch

from semalign.analysis.cka_summary import (
    compare_matrices,
    diagonal_lines,
    diagonal_share,
    findings,
    near_diagonal,
    summarise,
    summarise_matrix,
)


def test_the_diagonal_follows_the_pairing():
    # six teacher layers, three student layers: their own layers are 2, 4 and 6
    assert near_diagonal(6, 3, 0).nonzero().tolist() == [[1, 0], [3, 1], [5, 2]]
    assert near_diagonal(6, 3, 1).sum(0).tolist() == [3, 3, 2]


def test_share_of_layers_whose_best_is_near_their_own():
    matrix = torch.zeros(6, 3)
    matrix[2, 0] = 1  # one too deep: within 1
    matrix[3, 1] = 1  # its own
    matrix[0, 2] = 1  # far away
    assert diagonal_share(matrix) == pytest.approx(2 / 3)
    assert diagonal_share(matrix, tolerance=0) == pytest.approx(1 / 3)
    assert diagonal_share(matrix, tolerance=5) == 1


def test_numbers_of_one_matrix():
    matrix = torch.where(near_diagonal(6, 3, 1), 0.75, 0.25)
    summary = summarise_matrix(matrix)
    assert summary == {
        "diagonal_share": 1,
        "chance_share": pytest.approx(8 / 18),
        "diagonal_mean": 0.75,
        "off_diagonal_mean": 0.25,
    }


def test_chance_is_what_random_matrices_give():
    generator = torch.Generator().manual_seed(0)
    shares = [diagonal_share(torch.rand(10, 5, generator=generator)) for _ in range(500)]
    expected = summarise_matrix(torch.rand(10, 5))["chance_share"]
    assert sum(shares) / len(shares) == pytest.approx(expected, abs=0.03)


def test_comparison_tells_pairing_from_depth():
    depth = torch.linspace(1, 0, 6)[:, None] + torch.linspace(1, 0, 5)[None, :]
    one, other = (0.1 * torch.rand(6, 5, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1))
    alike = compare_matrices(depth + one, depth + other)
    assert alike["correlation"] > 0.95
    assert abs(alike["pairing_correlation"]) < 0.5
    same = compare_matrices(depth + one, 0.5 * (depth + one) + 0.2)
    assert same["correlation"] == pytest.approx(1, abs=1e-5)
    assert same["pairing_correlation"] == pytest.approx(1, abs=1e-5)
    assert compare_matrices(one, one + 0.25)["mean_difference"] == pytest.approx(0.25)


def test_findings_are_sentences_of_the_summary():
    near = near_diagonal(6, 3, 1)
    matrices = {"before": torch.where(near, 0.75, 0.25), "after": torch.where(near, 0.65, 0.15)}
    matrices["untrained"] = torch.rand(6, 3, generator=torch.Generator().manual_seed(0))
    lines = [
        (condition, "raw", "linear", t + 1, s + 1, float(matrix[t, s]), 9)
        for condition, matrix in matrices.items() for t in range(6) for s in range(3)
    ]  # fmt: skip
    columns = ["condition", "states", "kernel", "teacher_layer", "student_layer", "cka", "rows"]
    found = findings(summarise(pd.DataFrame(lines, columns=columns)), 3)
    diagonal, pattern, chance = found.values()
    assert diagonal == [
        "linear, before: for 3 of 3 student layers the most similar teacher layer is within one of their partner "
        "(1.3 by chance); mean CKA 0.75 there, 0.25 elsewhere"
    ]
    assert len(pattern) == len(chance) == 1
    assert pattern[0].startswith("linear, after alignment: correlation with the trained pair before alignment 1.00, ")
    assert pattern[0].endswith("mean difference 0.100")


def test_a_line_for_each_condition_has_the_numbers_of_all_its_matrices():
    near, far = near_diagonal(6, 3, 0).double(), near_diagonal(6, 3, 0).double().flip(0)
    conditions = {"before": near, "after": near, "untrained": far}
    table = pd.DataFrame(
        {
            "condition": name, "states": states, "kernel": kernel, "teacher_layer": i + 1, "student_layer": k + 1,
            "cka": float(matrix[i, k]),
        }
        for name, matrix in conditions.items()
        for states in ("raw", "unit")
        for kernel in ("linear", "rbf")
        for i in range(6)
        for k in range(3)
    )  # fmt: skip
    before, after, untrained = diagonal_lines(table)
    assert before == "before alignment: 3, 3, 3, 3 of 3 layers; mean CKA 0.38 there, 0.00 elsewhere"
    assert after.endswith("agreement with the pattern before 1.00, 1.00, 1.00, 1.00")
    assert untrained.startswith("untrained models: 1, 1, 1, 1 of 3 layers; mean CKA 0.12 there, 0.20 elsewhere")
