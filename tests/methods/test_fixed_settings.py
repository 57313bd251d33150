"""Settings of a control: what a variant fixes, and what can still be chosen."""

import pytest

from semalign.methods.fixed_settings import is_fixed, variant
from semalign.settings import TransferSettings


def test_a_variant_has_other_defaults_and_keeps_what_it_fixes():
    made = variant("RidgeSettings", {"map": "ridge", "epochs": 7}, ["map"])
    assert (made().map, made().epochs, made(epochs=2).epochs, made().layer_loss) == ("ridge", 7, 2, "cosine")
    assert made(map="ridge") == made()
    assert made.__name__ == "RidgeSettings"
    with pytest.raises(ValueError, match=r"map: it is 'ridge' in this method and cannot be changed"):
        made(map="semantic")
    with pytest.raises(ValueError, match="greater than or equal to 1"):
        made(epochs=0)
    assert TransferSettings().map == "semantic"


def test_what_is_fixed_is_known_of_each_field():
    made = variant("RidgeSettings", {"map": "ridge", "epochs": 7}, ["map"])
    assert [name for name, field in made.model_fields.items() if is_fixed(field)] == ["map"]
    assert not any(map(is_fixed, TransferSettings.model_fields.values()))
