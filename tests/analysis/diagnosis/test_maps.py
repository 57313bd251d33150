"""The maps of a diagnosis are those of the registry, with several permutations of the control."""

import torch
from helpers.models import normal

from semalign.analysis.diagnosis.maps import COMPARED, PERMUTATIONS, ZERO, Maps, control_of, is_control
from semalign.analysis.diagnosis.states import HeldStates
from semalign.bases.inverted_head import InvertedHead
from semalign.models.pair import Pair
from semalign.settings import TransferSettings
from semalign.targets.builder import TargetBuilder
from semalign.targets.maps import MAPS
from semalign.targets.pair_heads import PairHeads


def test_maps_of_the_models_are_the_builder_s(teacher, student):
    pair, settings = Pair(teacher, student), TransferSettings(seed=4)
    found = Maps(PairHeads(pair), settings).of_models
    assert set(found) == {"semantic", "permuted", "random", "least_squares", "permuted_least_squares"}
    assert [len(made) for made in found.values()] == [PERMUTATIONS if n == "permuted" else 1 for n in found]
    for name in ("semantic", "random"):
        expected = TargetBuilder(pair, TransferSettings(map=name, seed=4)).alignment
        torch.testing.assert_close(found[name][0], expected)
    assert not torch.allclose(found["permuted"][0], found["permuted"][1])


def test_other_maps_are_fitted_on_states(teacher, student):
    x, y = HeldStates([normal(30, 16), normal(20, 16, seed=1)]), HeldStates([normal(30, 12), normal(20, 12, seed=1)])
    settings = TransferSettings()
    found = Maps(PairHeads(Pair(teacher, student)), settings).fitted(x, y)
    assert set(found) == set(COMPARED) - {"semantic", "permuted", "random", "least_squares", "permuted_least_squares"}
    torch.testing.assert_close(found["ridge"][0], MAPS["ridge"].make(x, y, settings).float())


def test_the_control_of_a_map_is_its_permuted_form():
    controls = {name: control_of(name, COMPARED) for name in COMPARED if not is_control(name)}
    assert controls == {
        "semantic": "permuted",
        "least_squares": "permuted_least_squares",
        "procrustes": "permuted_procrustes",
        "ridge": "permuted_ridge",
    }
    assert control_of("ridge", ["ridge", "permuted"]) == "permuted" and is_control(ZERO) and is_control("random")


def test_the_heads_are_inverted_once_for_all_maps(teacher, student, monkeypatch):
    calls = []
    of = InvertedHead.of
    monkeypatch.setattr(InvertedHead, "of", lambda head, **options: calls.append(head) or of(head, **options))
    Maps(PairHeads(Pair(teacher, student)), TransferSettings()).of_models  # noqa: B018
    assert len(calls) == 2
