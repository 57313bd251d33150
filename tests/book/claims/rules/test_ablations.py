"""Verdicts on ablations and side effects, from records that are made by hand."""

import pytest
from helpers.losses import write_losses

from semalign.book.claims.rules import ablations, evaluate
from semalign.book.claims.verdicts import NotRunError

LAYERS = {"bases": ["both"], "more": [2, 4], "margin": 0.01}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMALIGN_ROOT", str(tmp_path))
    found = tmp_path / "data" / "results" / "ablations"
    found.mkdir(parents=True)
    return found


@pytest.mark.parametrize(
    ("one", "four", "width", "verdict"),
    [
        ([1.0, 1.0], [1.0, 1.005], 0.9, "reproduced"),
        ([1.0, 1.0], [0.5, 0.6], 0.9, "not reproduced"),
        ([1.0, 1.0], [0.9, 1.2], 0.9, "undecided"),  # an interval from below the margin to above zero
        ([3.0, 3.0], [3.0, 3.0], 0.9, "undecided"),  # one layer does harm
        ([1.0, 1.0], [0.5, 0.6], 1.1, "undecided"),  # one layer's fall is within the interval of the loss before
        ([1.0, 1.0], [0.5, 0.6], None, "undecided"),
    ],
)
def test_few_layers_are_enough_if_more_of_them_do_not_help(folder, one, four, width, verdict):
    for method, rows in (("both", one), ("both-2-layers", one), ("both-4-layers", four)):
        write_losses(folder, method, 0, rows, before=2.0, width=width)
    found = evaluate("few_layers", ["ablations/*"], LAYERS)
    assert found.verdict == verdict
    change = sum(one) / 2 - 2
    assert found.numbers["each"].startswith(f"GSM8K, `both`, one layer {change:+.4f}; against it 2 +0.0000 [")


def test_a_base_without_all_sets_of_layers_is_not_run(folder):
    write_losses(folder, "both", 0, [1.0])
    write_losses(folder, "both-2-layers", 0, [1.0])
    with pytest.raises(NotRunError, match="no record of both on GSM8K with 2, 4 layers"):
        evaluate("few_layers", ["ablations/*"], LAYERS)


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [([1.5], "reproduced"), ([1.5, 0.5], "reproduced in part"), ([0.5], "not reproduced"), ([1.0], "undecided")],
)
def test_the_design_stands_if_changes_only_do_harm(folder, changes, verdict):
    write_losses(folder, "semalign", 0, [1.0, 2.0])
    for name, change in zip(("literal-signed", "literal-attention"), changes, strict=False):
        write_losses(folder, name, 0, [change, 1 + change])
    write_losses(folder, "literal-ridge", 0, [0.1, 0.1])  # another factor
    given = {"base": "literal", "factors": ["interface", "pairing"]}
    found = evaluate("design_stands", ["ablations/*"], {**given, "least": 1})
    assert found.verdict == verdict and found.numbers["of"] == len(changes)
    lowest, named = min(changes) - 1, ("signed", "attention")[len(changes) - 1]
    assert found.numbers["best"] == f"{named} on GSM8K {lowest:+.4f} [{lowest:+.4f}, {lowest:+.4f}]"
    with pytest.raises(NotRunError, match="at least 9 changes"):
        evaluate("design_stands", ["ablations/*"], {**given, "least": 9})


def test_changes_are_corrected_for_their_number_and_equal_ones_count_once(folder, monkeypatch):
    families = []
    monkeypatch.setattr(ablations, "holm", lambda p_values: families.append(len(p_values)) or [1.0, 0.0])
    write_losses(folder, "semalign", 0, [1.0, 2.0])
    write_losses(folder, "literal-signed", 0, [1.5, 2.5])
    write_losses(folder, "literal-last-pair", 0, [1.2, 2.2])
    write_losses(folder, "literal-signed-at-attention", 0, [1.2, 2.2])  # leads to the same pair
    given = {"base": "literal", "factors": ["pairing"], "least": 2}
    found = evaluate("design_stands", ["ablations/*"], given)
    assert (families, found.numbers["of"], found.numbers["higher"], found.numbers["lower"]) == ([2], 2, 1, 0)


def write_rises(folder, method, trained, other, own):
    """Write a record of a training on one of two tasks, with how far the loss of two rows of each rose."""
    rises = {task: [own, own] if task == trained else [other, other] for task in ("a", "b")}
    details = {"rises": rises, "before_nll": {"a": 10.0, "b": 10.0}, "weight_change": 0.0}
    write_losses(folder, method, 0, [1.0], task=trained, details=details)


def test_a_method_that_did_not_train_decides_nothing_about_side_effects(folder):
    for method, own in (("semalign", -9.0), ("seeking", -0.19), ("laten", 0.21)):
        for trained in ("a", "b"):
            write_rises(folder, method, trained, {"semalign": 0.25}.get(method, 0.0), own)
    found = evaluate("fewer_side_effects", ["ablations/*"], {"theirs": ["seeking"]})
    assert found.verdict == "undecided"
    assert found.numbers["each"] == "seeking open, as there is no task on which both trained"
    found = evaluate("fewer_side_effects", ["ablations/*"], {"theirs": ["seeking", "laten"]})
    assert found.verdict == "not reproduced" and found.numbers["each"].count("open") == 1
    found = evaluate("fewer_side_effects", ["ablations/*"], {"theirs": ["laten"], "ours": "seeking"})
    assert found.verdict == "undecided"  # nothing was trained on this side


def test_side_effects_of_a_training_that_did_nothing_do_not_count(folder):
    for method, rises in (("semalign", (0.0, 0.25)), ("seeking", (0.0, 0.5))):
        write_rises(folder, method, "a", rises[0], own=-9.0 if method == "seeking" else 0.1)  # SemAlign did not train
        write_rises(folder, method, "b", rises[1], own=-9.0)
    found = evaluate("fewer_side_effects", ["ablations/*"], {"theirs": ["seeking"]})
    assert found.verdict == "reproduced"
    assert found.numbers["each"] == "seeking -0.2500 [-0.2500, -0.2500], trained on b (+0.2500 by semalign)"


@pytest.mark.parametrize(("rise", "verdict"), [(0.5, "reproduced"), (-0.5, "not reproduced"), (0.0, "undecided")])
def test_side_effects_are_compared_on_tasks_that_were_not_trained(folder, rise, verdict):
    for method, other in (("semalign", 0.25), ("seeking", 0.25 + rise)):
        for trained in ("a", "b"):
            write_rises(folder, method, trained, other, own=-9.0)
    found = evaluate("fewer_side_effects", ["ablations/*"], {"theirs": ["seeking"]})
    told = f"seeking {0 - rise:+.4f} [{0 - rise:+.4f}, {0 - rise:+.4f}], trained on a and b (+0.2500 by semalign)"
    assert found.verdict == verdict and found.numbers["each"] == told
    with pytest.raises(NotRunError, match="no record of laten"):
        evaluate("fewer_side_effects", ["ablations/*"], {"theirs": ["laten"]})
