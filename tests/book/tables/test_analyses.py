"""Tables of the chapters on the method, from numbers made by hand."""

import pandas as pd
import pytest

from semalign.bases.basis import SemanticBasis
from semalign.book.markdown import SPACE, numbers
from semalign.book.tables import analyses


def test_checks_of_a_basis_show_errors_as_powers_of_ten():
    basis = SemanticBasis.random(8, 4, seed=0)
    table = analyses.basis_checks({"teacher": basis}, {"teacher": {"error": 1.234e-7, "hits (%)": 100.0}})
    assert table.to_dict("records") == [
        {"model": "teacher", "atoms m": 8, "width D": 4, "rank": basis.rank, "error": "1.2e-07", "hits (%)": 100.0}
    ]


def test_random_frames_are_of_layer_outputs():
    lines = [("output", "layer", 0.5), ("output", "layer", 0.7), ("output", "mlp", 0.9), ("own", "layer", 0.1)]
    curves = pd.DataFrame(lines, columns=["basis", "interface", "cosine"])
    bases = {name: {"m": 100, "width": 101, "isotropic_cosine": 0.8} for name in ("output", "own")}
    table = analyses.random_frames(curves, bases)
    assert table["basis"].tolist() == ["output side", "own"]
    assert table.iloc[0, 2:5].tolist() == pytest.approx([0.6, 0.5, 0.7])
    assert table["random vectors, expected"].iloc[0] == pytest.approx((100 / 200) ** 0.5)


def test_the_critical_layer_is_that_of_the_highest_score_and_is_paired():
    lines = [
        ("t", interface, "absolute", layer, float(layer == best))
        for interface, best in (("attention", 1), ("mlp", 2), ("residual", 3), ("layer", 4))
        for layer in (1, 2, 3, 4)
    ]
    scores = pd.DataFrame(lines, columns=["task", "interface", "aggregation", "layer", "score"])
    table = analyses.critical_layers(scores, 4, 2)
    assert [str(cell).replace(SPACE, " ") for cell in table.iloc[0]] == [
        "t",
        "absolute",
        "1 → 1",
        "2 → 1",
        "3 → 2",
        "4 → 2",
    ]
    (data,) = numbers(table).to_dict("records")
    assert data["residual, teacher layer"] == 3 and data["residual, student layer"] == 2 and len(data) == 2 + 2 * 4


def test_recorded_scores_are_told_apart_by_their_method():
    how = {"task": "micro_mmlu", "interface": "heads", "aggregation": "signed"}
    found = {"integrated_gradients": [0.1, 0.2], "ablation": [3, 1]}
    lines = [{**how, "method": method, "scores": scores} for method, scores in found.items()]
    scores = analyses.recorded_scores({"details": {"scores": lines}})
    assert scores.iloc[1].tolist() == ["micro_mmlu", "integrated gradients", "signed", "heads", 2, 0.2]
    table = analyses.critical_layers(scores, 2, 2)
    assert [[str(cell).replace(SPACE, " ") for cell in line] for line in table.to_numpy()] == [
        ["MMLU", "integrated gradients", "signed", "2 → 2"],
        ["MMLU", "ablation", "signed", "1 → 1"],
    ]
