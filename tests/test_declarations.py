"""What is read from the text of registries is what importing them registers."""

import pytest

from semalign.declarations import declared
from semalign.registry import fact, lookup
from semalign.settings import LAYER_LOSSES, MAPS, OUTPUT_TERMS, SCHEDULES

FACTS = {
    MAPS: {"needs": None, "into": "student", "atoms": None},
    LAYER_LOSSES: {"any_space": False},
    OUTPUT_TERMS: {"needs_teacher": False},
    SCHEDULES: {"every_layer": False},
}


@pytest.mark.parametrize("place", [MAPS, LAYER_LOSSES, OUTPUT_TERMS, SCHEDULES])
def test_the_names_and_facts_are_those_of_the_registry(place):
    registry = lookup(place)
    own = {name for name in registry if registry._owners[name].startswith(registry.package)}
    assert declared(place).keys() == own
    for name in own:
        for key, default in FACTS.get(place, {}).items():
            assert fact(place, name, key, default) == getattr(registry[name], key)


def test_what_is_declared_is_a_constant_of_a_decorator():
    assert declared(MAPS)["none"] == {"needs": "nothing", "into": "teacher"}
    assert declared(MAPS)["permuted"] == {"needs": "inverted_heads", "atoms": "permuted"}
    assert declared(OUTPUT_TERMS)["reverse_kl"] == {"needs_teacher": True}
    assert declared(LAYER_LOSSES)["relation"] == {"any_space": True}


def test_a_fact_of_a_users_object_is_asked_of_the_object():
    maps = lookup(MAPS)
    maps.add("of_a_test", type("Mine", (), {"needs": "states"}))
    try:
        assert fact(MAPS, "of_a_test", "needs") == "states"
    finally:
        maps.forget(__name__), maps._items.pop("of_a_test", None)
