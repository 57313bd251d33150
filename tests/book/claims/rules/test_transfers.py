"""Verdicts on held-out losses, from records that are made by hand."""

import pytest
from helpers.claims import put

from semalign.book.claims.rules import evaluate
from semalign.book.claims.verdicts import NotRunError


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMALIGN_ROOT", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("gain", "verdict"), [(0.5, "reproduced"), (0.02, "undecided"), (0.0, "not reproduced"), (-0.5, "not reproduced")]
)
def test_a_lower_nll_is_paired_by_row(root, gain, verdict):
    rows = [11.0, 12.0, 13.0, 14.0]
    ours = [row - gain + (0.05 if gain == 0.02 else 0.0) * (-1) ** i for i, row in enumerate(rows)]
    given = {"theirs": "none", "tasks": ["gsm8k"], "margin": 0.01}
    put(root, "families/none.json", method="none", details={"row_nll": rows})
    cell = {**dict.fromkeys(("before", "after", "low", "high"), 1.0), "n": 4, "split": None, "row_nll": ours}
    put(root, "families/ours.json", details={"held_out": cell, "weight_change": 0.1}, fingerprints={"data": "a"})
    found = evaluate("lower_nll", ["families/*.json"], given)
    assert found.verdict == verdict and found.numbers["each"].startswith(f"GSM8K {-gain:+.4f} [")
    with pytest.raises(NotRunError, match="no record of sft"):
        evaluate("lower_nll", ["families/*.json"], {**given, "theirs": "sft"})
    with pytest.raises(NotRunError, match="no record of none"):
        evaluate("lower_nll", ["families/*.json"], {**given, "tasks": ["gsm8k", "mbpp"]})


def test_a_method_that_did_not_train_leaves_the_losses_open(root):
    given = {"theirs": "sft", "tasks": ["gsm8k"], "margin": 0.01}
    for method, after, changed in (("semalign", 1.0, 0.001), ("sft", 1.001, 0.001)):
        cell = {"before": 1.0, "after": after, "low": 1.0, "high": 1.0, "n": 2, "split": None, "row_nll": [after] * 2}
        put(root, f"pair/{method}.json", method=method, details={"held_out": cell, "weight_change": changed})
    found = evaluate("lower_nll", ["pair/*.json"], given)
    assert found.verdict == "undecided" and found.numbers["each"].endswith(
        "] (no run of `semalign` and `sft` is known to have trained)"
    )


def test_a_method_whose_records_do_not_say_whether_it_trained_leaves_the_losses_open(root):
    put(root, "pair/none.json", method="none", details={"row_nll": [2.0, 2.0]})
    put(root, "pair/semalign.json", details={"row_nll": [1.0, 1.0]})
    found = evaluate("lower_nll", ["pair/*.json"], {"theirs": "none", "tasks": ["gsm8k"], "margin": 0.01})
    assert found.verdict == "undecided" and found.numbers["each"].endswith(
        "no run of `semalign` is known to have trained)"
    )


def test_runs_that_did_not_train_leave_the_change_of_a_task_open(root):
    def run(task, seed, after, weight_change):
        nll = {
            **dict.fromkeys(("before", "low", "high"), 2.0),
            "after": after,
            "n": 1,
            "split": None,
            "row_nll": [after],
        }
        ends = {"before": {"response_nll": 2.0}, "after": {"response_nll": after}}
        details = {**ends, "held_out": nll, "weight_change": weight_change}
        put(root, f"runs/{task}-{seed}.json", task=task, seed=seed, details=details)

    for seed in range(3):
        run("gsm8k", seed, 1.0 + seed / 100, 0.5)
        run("mbpp", seed, 1.97 + seed / 1000, 0.003)
    found = evaluate("nll_change", ["runs/*.json"], {})
    assert found.verdict == "reproduced in part"
    assert "MBPP 2.00 → 1.97, change -0.03 [-0.03, -0.03] (no run of `semalign` is known" in found.numbers["each"]
    assert evaluate("nll_change", ["runs/mbpp-*.json"], {}).verdict == "undecided"
    with pytest.raises(NotRunError, match=r"no record runs/mmlu-\*\.json$"):
        evaluate("nll_change", ["runs/mbpp-*.json", "runs/mmlu-*.json"], {})


def test_losses_on_other_data_or_of_other_models_are_not_compared(root):
    given = {"theirs": "sft", "tasks": ["gsm8k"], "margin": 0.01}
    for part in ("data", "student", "teacher"):
        for i, method in enumerate(("semalign", "sft")):
            details = {"row_nll": [1.0, 2.0]}
            put(root, f"pair/{method}.json", method=method, details=details, fingerprints={part: str(i)})
        with pytest.raises(NotRunError, match=f"another {part}"):
            evaluate("lower_nll", ["pair/*.json"], given)


def test_one_run_without_an_interval_decides_nothing(root):
    put(root, "one.json", details={"before": {"response_nll": 2.0}, "after": {"response_nll": 1.0}})
    found = evaluate("nll_change", ["one.json"], {})
    assert (found.verdict, found.numbers["each"]) == ("undecided", "GSM8K 2.00 → 1.00")


@pytest.mark.parametrize(("after", "verdict"), [(3.0, "not reproduced"), (1.0, "reproduced"), (2.0, "undecided")])
def test_several_runs_have_an_interval_over_seeds(root, after, verdict):
    for seed, off in enumerate((-0.1, 0.0, 0.1)):
        nll = {**dict.fromkeys(("before", "low", "high"), 2.0), "after": after + off, "n": 1, "split": None}
        ends = {"before": {"response_nll": 2.0}, "after": {"response_nll": after + off}}
        details = {**ends, "held_out": {**nll, "row_nll": [after + off]}, "weight_change": 0.1}
        put(root, f"runs/{seed}.json", seed=seed, details=details)
    found = evaluate("nll_change", ["runs/*.json"], {})
    half = 4.302653 * 0.1 / 3**0.5  # Student's t of two degrees of freedom
    ends = f"[{after - 2 - half:+.2f}, {after - 2 + half:+.2f}]"
    assert found.verdict == verdict
    assert found.numbers["each"] == f"GSM8K 2.00 → {after:.2f}, change {after - 2:+.2f} {ends}"


@pytest.mark.parametrize(("slope", "verdict"), [(0.05, "reproduced"), (-0.05, "not reproduced")])
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
    others = [{"map": "ridge"}, {"layer_weight": 0.0}, {"centre_targets": True}, {"responses": "teacher"}]
    for i, other in enumerate([*others, {"top_atoms": 1}]):
        put(root, f"grid/other-{i}.json", configuration={"map": "semantic", **other}, details=good)
    found = evaluate("predicts", ["grid/*.json"], {"least": 12})
    assert found.verdict == verdict
    one = "+1.00 [+1.00, +1.00]" if slope > 0 else "-1.00 [-1.00, -1.00]"
    assert found.numbers["each"] == f"elsewhere {one} over 12 places, from 24 runs (medians {one})"
    with pytest.raises(NotRunError, match="12 of at least 13"):
        evaluate("predicts", ["grid/*.json"], {"least": 13})


def test_the_mean_over_the_trainings_of_a_place_decides_and_medians_stand_beside_it(root):
    for place in range(10):  # one of three trainings of a place diverges, the more so the better the alignment
        for run, after in enumerate((1.0 - place / 20, 1.0 - place / 20, 1.0 + 10 * place)):
            before = {"layer_cosine": place / 20, "response_nll": 1.0}
            details = {"before": before, "after": {"layer_cosine": 0.5, "response_nll": after}}
            layers = {"teacher_layers": [[place, 1.0]], "student_layer": 1}
            put(root, f"grid/{place}-{run}.json", configuration={"map": "semantic"}, details={**details, **layers})
    found = evaluate("predicts", ["grid/*.json"], {"least": 10})
    assert found.verdict == "not reproduced"
    ends = ("-1.00 [-1.00, -1.00]", "(medians +1.00 [+1.00, +1.00])")
    assert found.numbers["each"] == f"elsewhere {ends[0]} over 10 places, from 30 runs {ends[1]}"


def test_each_student_stands_alone_in_a_prediction(root):
    """Pooled, the two students would show a correlation that neither has: one is nearer its targets and gains more."""
    paper = {"map": "semantic"}
    for student, start in (("one", 0.0), ("two", 0.5)):
        for place in range(10):
            before = {"layer_cosine": start + place / 100, "response_nll": 1.0}
            after = {"layer_cosine": 0.9, "response_nll": 1.0 - start + place / 100}
            details = {"before": before, "after": after, "teacher_layers": [[place, 1.0]], "student_layer": 1}
            put(
                root,
                f"grid/{student}-{place}.json",
                student=student,
                configuration={"map": "semantic"},
                details=details,
            )
    details["before"]["layer_cosine"] = 0.99
    put(root, "grid/few.json", student="few", configuration=paper, details=details)
    found = evaluate("predicts", ["grid/*.json"], {"least": 10})
    assert found.verdict == "not reproduced"
    assert [each.split(" over")[0] for each in found.numbers["each"].split("; ")] == [
        "one -1.00 [-1.00, -1.00]",
        "two -1.00 [-1.00, -1.00]",
    ]
