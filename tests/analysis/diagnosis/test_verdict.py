"""The verdict in the three cases: something is carried, something is said, nothing."""

import pandas as pd
import pytest

from semalign.analysis.diagnosis.atoms import Correspondence
from semalign.analysis.diagnosis.settings import repeated
from semalign.analysis.diagnosis.verdict import carrying, verdict
from semalign.settings import TransferSettings

CHANCE = {"permuted": 0.04, "low": 0.03, "high": 0.05}


def patch(name, change, control, zero, layer=8, strength=0.5, width=0.01):
    ends = {"change": change, "against_control": control, "against_zero": zero}
    line = {"map": name, "layer": layer, "teacher_layer": 10, "strength": strength, "interface": "mlp"}
    for key, value in ends.items():
        line |= {key: value, f"{key}_low": value - width, f"{key}_high": value + width}
    return line


@pytest.fixture
def readings():
    lines = [
        ("own", "student", 8, 0.9),
        ("own", "width", 10, 1.0),
        ("own", "teacher", 10, 1.0),
        ("target", "semantic", 9, 0.1),
        ("target", "semantic", 10, 0.35),
        ("target", "permuted", 10, 0.01),
        ("target", "random", 10, 0.02),
        ("target", "ridge", 10, 0.97),
    ]
    return pd.DataFrame(lines, columns=["read", "map", "layer", "top_1"])


def of(readings, *lines, aligned=0.5):
    return verdict(Correspondence(aligned=aligned, **CHANCE), readings, pd.DataFrame(lines))


def test_what_targets_say_is_told_beside_permuted_atoms_the_best_map_and_the_student(readings):
    found = of(readings, patch("semantic", 0.1, 0.0, 0.0))
    assert found[1] == (
        "Read by the student's head, the teacher's next token is first in aligned states of teacher layer 10 in 35.0% "
        "of the positions, those with permuted atoms in 1.0%, those of the best other map, ridge, in 97.0%; in the "
        "student's own in 90.0%."
    )


def test_atoms_correspond_only_above_chance(readings):
    assert of(readings, patch("semantic", 0, 0, 0))[0].startswith("Atoms correspond more than chance: CKA 0.500 of 1")
    assert of(readings, patch("semantic", 0, 0, 0), aligned=0.045)[0].startswith("Atoms do not correspond: CKA 0.045")


def test_something_is_carried_only_below_the_student_permuted_atoms_and_zero(readings):
    said = of(readings, patch("semantic", -0.05, -0.1, -0.2))[2]
    assert "lower its NLL by 0.0500 nats at layer 8" in said and "This is 1 of the 1 places" in said
    for worse in ((0.0, -0.1, -0.2), (-0.05, 0.0, -0.2), (-0.05, -0.1, 0.0)):
        assert "can carry" not in of(readings, patch("semantic", *worse))[2]


def test_states_that_are_better_than_permuted_ones_and_no_gain(readings):
    found = of(readings, patch("semantic", 0.02, -0.1, -0.2), patch("semantic", 0.5, -0.1, 0.1, layer=1))
    assert "better than permuted ones at layers 1, 8, but nowhere clearly better than the student's own" in found[2]
    assert "+0.0200 nats, at layer 8 with strength 0.5, lower than with zero" in found[2]


def test_nothing_is_carried_where_permuted_atoms_do_as_well(readings):
    assert "no better than permuted ones" in of(readings, patch("semantic", 0.02, 0.0, -0.2))[2]


def test_the_advice_is_the_best_map_that_lowers_the_nll_and_never_a_control(readings):
    lines = [
        patch("semantic", 0.1, 0, 0),
        patch("ridge", -0.03, -0.1, -0.1),
        patch("permuted_ridge", -0.2, -1, -1),
        patch("zero", -0.2, -1, -1),
    ]
    advice = of(readings, *lines)[3]
    assert "-s map=ridge -s interface=mlp -s student_layer=8 -s teacher_layer=10" in advice
    assert (
        "-s output_loss=cross_entropy -s map=ridge" in advice
        and "the most of the 1 that are shown to, of 2 maps, layers and strengths" in advice
    )
    assert "than its control, `-s map=permuted_ridge`" in advice
    assert "than its control, `-s map=permuted`" in of(readings, patch("semantic", -0.1, -0.1, -0.1))[3]
    assert (
        "no map is shown to lower the NLL" in of(readings, patch("ridge", 0.1, 0, 0), patch("semantic", 0.1, 0, 0))[3]
    )


def test_the_advice_is_among_the_changes_that_are_shown(readings):
    """The lowest change may have a wide interval, and a map may be no better than its own control."""
    wide = {**patch("procrustes", -0.08, -0.1, -0.1), "change_high": 0.02}
    for missing in (wide, patch("procrustes", -0.08, 0.01, -0.1), patch("procrustes", -0.08, -0.1, 0.01)):
        found = of(readings, patch("semantic", 0.1, 0, 0), missing, patch("ridge", -0.03, -0.1, -0.1))
        assert "-s map=ridge" in found[3] and "the most of the 1 that are shown to, of 3 maps" in found[3]
        assert "no map is shown to lower the NLL" in of(readings, patch("semantic", 0.1, 0, 0), missing)[3]


def test_places_that_carry_something_are_those_of_the_papers_map_with_three_intervals_below_zero():
    good, other = patch("semantic", -0.05, -0.1, -0.2), patch("ridge", -0.5, -0.5, -0.5)
    bad = [patch("semantic", *worse) for worse in ((0.0, -0.1, -0.2), (-0.05, 0.0, -0.2), (-0.05, -0.1, 0.0))]
    assert carrying(pd.DataFrame([other, *bad, good])).index.tolist() == [4]


def test_the_advice_repeats_the_settings_that_the_maps_were_made_with(readings):
    lines, atoms = pd.DataFrame([patch("semantic", -0.1, -0.1, -0.1)]), Correspondence(0.5, **CHANCE)
    said = verdict(atoms, readings, lines, repeated(TransferSettings(fold_norm=True, seed=3).model_dump()))[3]
    assert "-s teacher_layer=10 -s fold_norm=true`, which adds" in said and "--method cross-entropy" in said
    assert "fold_norm" not in verdict(atoms, readings, lines)[3]
