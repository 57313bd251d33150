"""Settings: what is refused, what survives a record, and the value of an objective."""

import pytest

from semalign.registry import lookup
from semalign.settings import MAPS, MEMORY, OUTPUT_TERMS, TrainingSettings, TransferSettings, deciding
from semalign.targets.maps import alignment_map
from semalign.training.output_terms import OutputTerm, output_term


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"map": "semantc"}, "no map 'semantc': choose from learned, least_squares"),
        ({"layer_loss": "cosin"}, "no layer loss 'cosin': choose from cosine, mean_square, relation"),
        ({"output_loss": "ce"}, "no output term 'ce': choose from centred_cosine, cosine, cross_entropy, kl"),
        ({"schedule": "all"}, "no schedule 'all': choose from frontier, one_layer"),
        ({"map": "none"}, "map 'none' leaves targets in the teacher's space: only layer_loss 'relation' can use them"),
        ({"schedule": "frontier", "student_layer": 2}, "trains every student layer: leave out"),
        ({"schedule": "frontier", "student_layers": [2]}, "trains every student layer: leave out"),
        ({"student_layers": [1, 2], "teacher_layer": 3}, "the layer map gives the teacher layers of student_layers"),
        ({"student_layers": []}, "at least 1 item"),
        ({"student_layers": [0]}, "greater than or equal to 1"),
        ({"layer_map": {0: 1}}, "greater than or equal to 1"),
        ({"interpolate": True, "layer_map": {1: 2}}, "interpolate takes the teacher layers .* leave out layer_map"),
        ({"interpolate": True, "teacher_layer": 9, "student_layer": 3}, "interpolate takes .* leave out teacher_layer"),
        ({"learning_rte": 1}, "^unknown setting 'learning_rte', did you mean 'learning_rate'\\?$"),
    ],
)
def test_what_is_wrong_is_told(settings, message):
    with pytest.raises(ValueError, match=message):
        TransferSettings(**settings)


def test_settings_survive_their_record():
    settings = TransferSettings(student_layers=[3, 4], layer_map={3: 5})
    assert TransferSettings(**settings.model_dump(mode="json")) == settings
    assert settings.model_dump(mode="json")["student_layers"] == [3, 4]


def test_settings_that_change_memory_only_decide_nothing():
    assert MEMORY <= TrainingSettings.model_fields.keys()
    assert deciding({"rank": 1, "micro_batch_size": 2}) == {"rank": 1}


def test_the_objective_weighs_its_terms():
    settings = TransferSettings(layer_weight=0.25, output_weight=2.0)
    assert settings.objective({"layer": 4.0, "output": 0.5}) == 2.0


def test_settings_that_would_do_nothing_are_refused():
    with pytest.raises(ValueError, match="label_smoothing is for terms on labels: leave it out with kl"):
        TransferSettings(output_loss="kl", label_smoothing=0.1)
    with pytest.raises(ValueError, match="are a pair already: leave out layer_map"):
        TransferSettings(teacher_layer=3, student_layer=2, layer_map={2: 1})


def test_atoms_are_left_out_of_maps_from_atom_to_atom_only():
    assert TransferSettings(top_atoms=3, map="permuted").top_atoms == 3
    with pytest.raises(ValueError, match="top_atoms is for the maps permuted and semantic: leave it out with ridge"):
        TransferSettings(top_atoms=3, map="ridge")


def test_a_map_or_term_of_ones_own_says_what_may_be_set(monkeypatch):
    for registry in (lookup(MAPS), lookup(OUTPUT_TERMS)):
        monkeypatch.setattr(registry, "_items", {name: registry[name] for name in registry})
    for atoms in ("paired", "permuted", "shared", None):
        alignment_map(f"mine-{atoms}", needs="inverted_heads", atoms=atoms)(lambda *_: None)
    for atoms in ("paired", "permuted"):
        assert TransferSettings(top_atoms=3, map=f"mine-{atoms}").map == f"mine-{atoms}"
    for atoms in ("shared", None):
        with pytest.raises(ValueError, match=f"leave it out with mine-{atoms}"):
            TransferSettings(top_atoms=3, map=f"mine-{atoms}")
    for needs_teacher in (True, False):
        output_term(f"of-teacher-{needs_teacher}", needs_teacher=needs_teacher)(type("Mine", (OutputTerm,), {}))
    assert TransferSettings(label_smoothing=0.1, output_loss="of-teacher-False").label_smoothing == 0.1
    with pytest.raises(ValueError, match="label_smoothing is for terms on labels: leave it out with of-teacher-True"):
        TransferSettings(label_smoothing=0.1, output_loss="of-teacher-True")


def test_a_penalty_is_only_taken_where_a_map_is_fitted():
    assert TransferSettings(map="permuted_ridge", ridge_penalty=0.1).ridge_penalty == 0.1
    assert TransferSettings(ridge_penalty=1e-3).map == "semantic"  # the default, as records have it
    with pytest.raises(ValueError, match="ridge_penalty is for maps that are fitted on states: leave it out with sem"):
        TransferSettings(ridge_penalty=0.1)
    for setting in ({"temperature": 0.1}, {"atoms": "data"}):
        with pytest.raises(ValueError, match="leave it out with random"):
            TransferSettings(**setting, map="random")


@pytest.mark.parametrize("layers", [{"teacher_layer": 3}, {"student_layers": [2, 3]}, {"schedule": "frontier"}])
def test_settings_of_attribution_may_be_given_for_all_entries_of_a_profile(layers):
    """Some entries name their layers, and a profile gives such settings for all of them."""
    found = TransferSettings(attribution="signed", attribution_examples=8, **layers)
    assert found.attribution == "signed" and found.attribution_examples == 8


@pytest.mark.parametrize("settings", [{"rank": True}, {"layer_map": {True: 2, 3: 4}}, {"student_layers": [2, True]}])
def test_a_truth_value_is_no_number(settings):
    with pytest.raises(ValueError, match=rf"^{next(iter(settings))}: it is true; give a value, not true or false$"):
        TransferSettings(**settings)
    assert TransferSettings(interpolate=True).interpolate
