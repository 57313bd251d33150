"""Settings in words."""

from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field

from semalign.experiments.profile_parts import EvaluationProfile, TaskProfile, Variant
from semalign.experiments.profiles import Profile
from semalign.methods.registry import method, methods
from semalign.methods.setting_lines import SettingLine, setting_lines
from semalign.models.placement import Placement
from semalign.registry import lookup
from semalign.settings import LAYER_LOSSES, TransferSettings


class Base(BaseModel):
    """Settings that others extend."""

    seed: int = Field(0, ge=0, description="seed")
    rate: float = Field(0.1, gt=0, description="rate")


class Extended(Base):
    """Settings that add to the base and change one default."""

    rate: float = Field(0.5, gt=0, lt=1, description="another rate")
    name: str = Field(description="name")
    size: int | None = Field(None, ge=2, description="size")
    kind: Literal["a", "b"] = Field("a", description="kind")
    layers: tuple[Annotated[int, Field(ge=1)], ...] = Field((1, 2), description="layers")
    partners: dict[int, int] = Field({}, description="partners")
    flag: bool = Field(False, description="flag")


def test_a_table_has_what_a_class_adds_or_changes():
    assert setting_lines(Extended) == [
        SettingLine("rate", "number > 0, < 1", "0.5", "another rate"),
        SettingLine("name", "text", "required", "name"),
        SettingLine("size", "integer ≥ 2 or None", "None", "size"),
        SettingLine("kind", "a, b", "a", "kind"),
        SettingLine("layers", "list of integer ≥ 1", "(1, 2)", "layers"),
        SettingLine("partners", "mapping from integer to integer", "{}", "partners"),
        SettingLine("flag", "True or False", "False", "flag"),
    ]


@pytest.mark.parametrize("keys", [Profile, TaskProfile, Variant, EvaluationProfile, Placement])
def test_every_key_of_a_profile_says_what_it_means(keys):
    lines = {line.name: line for line in setting_lines(keys)}
    assert lines.keys() == keys.model_fields.keys() and all(line.values and line.meaning for line in lines.values())


def test_a_key_with_keys_of_its_own_is_a_mapping_without_a_default_in_words():
    lines = {line.name: line for line in setting_lines(Profile)}
    assert lines["evaluation"][1:3] == ("mapping", "") and lines["tasks"].values == "mapping from text to mapping"
    assert lines["seeds"].values == "list of integer" and lines["teacher"].default == "required"


def test_a_setting_of_a_registry_lists_its_names():
    (line,) = (line for line in setting_lines(TransferSettings) if line.name == "layer_loss")
    assert line.values.split(", ") == sorted(lookup(LAYER_LOSSES))
    assert "cosine" in line.values


def test_a_setting_without_a_description_is_an_error():
    class Silent(Base):
        loud: int = 1

    with pytest.raises(ValueError, match=r"^the setting 'loud' of Silent has no description: give its Field one$"):
        setting_lines(Silent)


@pytest.mark.parametrize("name", methods())
def test_every_setting_of_every_method_says_what_it_means(name):
    classes = [
        each for each in methods()[name].settings.__mro__ if issubclass(each, BaseModel) and each is not BaseModel
    ]
    lines = [line for each in classes for line in setting_lines(each)]
    assert {line.name for line in lines} == set(methods()[name].settings.model_fields)
    assert all(all(line) for line in lines)


def test_what_defines_a_control_is_fixed_and_its_other_defaults_are_not():
    lines = {line.name: line for line in setting_lines(method("layer-distillation").settings, every=True)}
    assert (lines["map"].values, lines["map"].default) == ("fixed", "learned")
    assert lines["layer_loss"].default == "mean_square" and "cosine" in lines["layer_loss"].values
    assert lines.keys() == TransferSettings.model_fields.keys()
