"""Settings that a diagnosis refuses, and settings that its advice repeats."""

import pytest

from semalign.analysis.diagnosis.settings import OTHER, REPEATED, check_settings, repeated
from semalign.settings import TransferSettings


@pytest.mark.parametrize(
    "given", [{"atoms": "data"}, {"top_atoms": 3}, {"interpolate": True}, {"student_layer": 2}, {"student_layers": [1]}]
)
def test_settings_of_targets_that_no_map_makes_are_refused(given):
    with pytest.raises(ValueError, match=f"does not use {next(iter(given))}: leave it out"):
        check_settings(TransferSettings(**given))


def test_an_interface_of_heads_is_refused_and_what_a_diagnosis_uses_is_taken():
    with pytest.raises(ValueError, match="unknown interface 'heads': choose one of attention, mlp, residual, layer"):
        check_settings(TransferSettings(interface="heads"))
    check_settings(TransferSettings(interface="layer", fold_norm=True, layer_map={1: 4}, seed=3, positions="all"))


def test_only_what_differs_from_the_default_is_repeated():
    assert repeated(TransferSettings(fold_norm=True, seed=3, rank=2).model_dump()) == {"fold_norm": True}
    assert repeated(TransferSettings().model_dump()) == {}
    assert set(REPEATED) | set(OTHER) <= TransferSettings.model_fields.keys() and not set(REPEATED) & set(OTHER)
