"""Verdicts on held-out losses, from records that are made by hand."""

import pytest
from helpers.claims import put

from semalign.book.claims.rules import evaluate
from semalign.book.claims.verdicts import NotRunError


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMALIGN_ROOT", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(("gain", "verdict"), [(0.5, "reproduced"), (0.02, "undecided"), (0.0, "not"), (-0.5, "not")])
def test_a_lower_nll_is_paired_by_row(root, gain, verdict):
    rows = [1.0, 2.0, 3.0, 4.0]
    ours = [row - gain + (0.05 if gain == 0.02 else 0.0) * (-1) ** i for i, row in enumerate(rows)]
    for method, values in {"none": rows, "semalign": ours}.items():
        put(root, f"families/{method}.json", method=method, details={"row_nll": values})
    found = evaluate("lower_nll", ["families/*.json"], {"theirs": "none", "margin": 0.01})
    assert found.verdict == verdict and found.numbers["each"].startswith(f"GSM8K {-gain:+.4f} [")
    with pytest.raises(NotRunError, match="no record of sft"):
        evaluate("lower_nll", ["families/*.json"], {"theirs": "sft", "margin": 0.01})


def test_one_run_without_an_interval_decides_nothing(root):
    put(root, "one.json", details={"before": {"response_nll": 2.0}, "after": {"response_nll": 1.0}})
    found = evaluate("nll_change", ["one.json"], {})
    assert (found.verdict, found.numbers["each"]) == ("undecided", "GSM8K 2.00 → 1.00")


@pytest.mark.parametrize(("slope", "verdict"), [(0.05, "reproduced"), (-0.05, "not")])
def test_a_prediction_is_a_rank_correlation_over_places(root, slope, verdict):
    for i in range(12):
        before = {"layer_cosine": i / 20, "response_nll": 1.0}
        after = {"layer_cosine": 0.5, "response_nll": 1.0 - slope * i}
        details = {"before": before, "after": after}
        if i % 2:  # as a cell of a comparison has them
            nll = {**dict.fromkeys(("before", "low", "high"), 1.0), "after": after["response_nll"]}
            cosine = {"before": before["layer_cosine"], "after": 0.5}
            details = {"layer_cosine": cosine, "held_out": {**nll, "n": 1, "split": None, "row_nll": [1.0]}}
        layers = {"teacher_layers": [[i, 1.0]], "student_layer": 1}
        for rate in range(1 + i % 3):  # a place with more runs counts no more
            put(root, f"grid/{i}-{rate}.json", configuration={"map": "semantic"}, details={**details, **layers})
    good = {"before": {"layer_cosine": 0.99, "response_nll": 1.0}, "after": {"layer_cosine": 1.0, "response_nll": 5.0}}
    for i, other in enumerate([{"map": "ridge"}, {"layer_weight": 0.0}, {"centre_targets": True}, {"top_atoms": 1}]):
        put(root, f"grid/other-{i}.json", configuration={"map": "semantic", **other}, details=good)
    found = evaluate("predicts", ["grid/*.json"], {"least": 12})
    assert found.verdict == verdict and (found.numbers["places"], found.numbers["runs"]) == (12, 24)
    assert found.numbers["correlation"] == pytest.approx(1.0 if slope > 0 else -1.0)
    with pytest.raises(NotRunError, match="12 of at least 13"):
        evaluate("predicts", ["grid/*.json"], {"least": 13})
