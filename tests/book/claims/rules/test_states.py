"""Verdicts on cosines, correspondence and similarity, from records that are made by hand."""

import pytest
from helpers.claims import put

from semalign.book.claims.rules import evaluate
from semalign.book.claims.verdicts import NotRunError


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMALIGN_ROOT", str(tmp_path))
    return tmp_path


def spread(low, high):
    return {"layer": {"mean": (low + high) / 2, "min": low, "max": high}}


@pytest.fixture
def decomposed(root):
    def write(output, inputs, many=0.99):
        cosines = {
            "output": spread(*output),
            "input": spread(*inputs),
            "random": spread(many, many),
            "random-64": spread(0.05, 0.08),
        }
        bases = {
            name: {"m": 64 if "64" in name else 5000, "isotropic_cosine": 0.8, "random_basis_cosine": 0.5}
            for name in cosines
        }
        put(root, "fig2.json", details={"cosine_over_layers": cosines, "bases": bases})

    return write


@pytest.mark.parametrize(
    ("low", "verdict"), [(0.95, "reproduced"), (0.7, "reproduced in part"), (0.4, "not reproduced")]
)
def test_states_are_parallel_by_their_lowest_layer(decomposed, low, verdict):
    decomposed((low, 0.99), (0.0, 0.1))
    found = evaluate("parallel", ["fig2.json"], {"mark": 0.9, "partly": 0.5})
    assert found.verdict == verdict and found.numbers["expected"] == 0.8


@pytest.mark.parametrize(
    ("high", "verdict"), [(0.1, "reproduced"), (0.2, "reproduced in part"), (0.8, "not reproduced")]
)
def test_the_input_side_is_close_to_zero_or_lower_or_neither(decomposed, high, verdict):
    decomposed((0.7, 0.9), (0.0, high))
    assert evaluate("contrast", ["fig2.json"], {"mark": 0.1}).verdict == verdict


def test_random_vectors_are_judged_for_both_numbers(decomposed):
    decomposed((0.7, 0.9), (0.0, 0.1))
    found = evaluate("perpendicular", ["fig2.json"], {"mark": 0.1})
    assert found.verdict == "reproduced in part" and found.numbers["each"].startswith(
        "5,000 random vectors 0.99 (the formula gives 0.50)"
    )
    decomposed((0.7, 0.9), (0.0, 0.1), many=0.02)
    assert evaluate("perpendicular", ["fig2.json"], {"mark": 0.1}).verdict == "reproduced"


def test_a_record_without_random_vectors_says_nothing_of_them(root):
    spread = {"layer": {"mean": 0.7, "min": 0.7, "max": 0.7}}
    put(root, "fig2.json", details={"cosine_over_layers": {"output": spread}, "bases": {"output": {"m": 64}}})
    with pytest.raises(NotRunError, match="no random vectors on record"):
        evaluate("perpendicular", ["fig2.json"], {"mark": 0.1})


def diagnosis(root, name, aligned, top_1=0.5):
    atoms = {"aligned": aligned, "permuted": 0.04, "low": 0.03, "high": 0.05}
    line = {"layer": 4, "top_1": 0.01, "low": 0.0, "high": 0.02}
    readings = [
        {**line, "map": "width", "layer": 9, "top_1": 0.8},
        {**line, "map": "semantic", "layer": 2, "top_1": 0.9},
        {**line, "map": "semantic", "top_1": top_1, "low": top_1 - 0.01},
        {**line, "map": "permuted"},
    ]  # fmt: skip
    details = {"correspondence": {"atoms": atoms, "head": atoms}, "readings": readings}
    put(root, f"diagnosis/{name}/diagnosis.json", method="diagnose", teacher="large", student=name, details=details)


def test_atoms_correspond_above_the_mark_in_all_pairs(root):
    patterns, given = ["diagnosis/**/*.json"], {"mark": 0.9}
    diagnosis(root, "a", 0.95)
    assert evaluate("correspondence", patterns, given).verdict == "reproduced"
    diagnosis(root, "b", 0.10)
    found = evaluate("correspondence", patterns, given)
    assert (
        found.verdict == "reproduced in part"
        and "large → b 0.10 (permuted 0.040 [0.030, 0.050]" in found.numbers["each"]
    )
    diagnosis(root, "a", 0.04), diagnosis(root, "b", 0.05)
    assert evaluate("correspondence", patterns, given).verdict == "not reproduced"


@pytest.mark.parametrize(
    ("top_1", "verdict"), [(0.75, "reproduced"), (0.3, "reproduced in part"), (0.02, "not reproduced")]
)
def test_tokens_are_kept_by_the_last_layer(root, top_1, verdict):
    diagnosis(root, "a", 0.9, top_1)
    found = evaluate("tokens_kept", ["diagnosis/**/*.json"], {"mark": 0.9})
    assert (
        found.verdict == verdict
        and f"large → a: GSM8K {top_1:.1%} (permuted at most 1.0%, the best fit at this width at least 80.0%)"
        in found.numbers["each"]
    )


def similarities(root, share, kept=0.95, control=0.5):
    line = {"states": "raw", "chance_share": 0.1, "diagonal_mean": 0.5}
    summary = [
        {**line, "condition": condition, "kernel": kernel, "diagonal_share": value, "pairing_correlation": correlation}
        for kernel in ("linear", "rbf")
        for condition, value, correlation in (
            ("before", share, 1.0),
            ("after", share, kept),
            ("permuted", share, control),
            ("untrained", 0.3, 0.0),
        )
    ]
    put(root, "cka.json", method="cka", details={"summary": summary})


@pytest.mark.parametrize(
    ("share", "verdict"), [(0.95, "reproduced"), (0.5, "reproduced in part"), (0.3, "not reproduced")]
)
def test_the_diagonal_is_held_against_untrained_models(root, share, verdict):
    similarities(root, share)
    assert evaluate("diagonal", ["cka.json"], {"mark": 0.9}).verdict == verdict


@pytest.mark.parametrize(
    ("kept", "control", "verdict"),
    [(0.95, 0.5, "reproduced"), (0.95, 0.95, "reproduced in part"), (0.5, 0.5, "not reproduced")],
)
def test_a_kept_pattern_says_little_if_permuted_atoms_keep_it(root, kept, control, verdict):
    similarities(root, 0.5, kept, control)
    assert evaluate("invariance", ["cka.json"], {"mark": 0.9}).verdict == verdict
