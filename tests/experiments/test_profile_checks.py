"""No variant runs the paper's method because its name was mistyped."""

import pytest

from semalign.experiments.profile_checks import check_variants, meant_by
from semalign.experiments.profile_parts import Variant
from semalign.experiments.profiles import load_profile


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("cross_entropy", "cross-entropy"),
        ("Cross-Entropy", "cross-entropy"),
        ("crossentropy", "cross-entropy"),
        ("cros-entropy", "cross-entropy"),
        ("stf", "sft"),
        ("SFT", "sft"),
        ("sft2", "sft"),
        ("sft-10", "sft"),
        ("sft_low_rate", "sft"),
        ("laten-long", "laten"),
        ("late", "laten"),
    ],
)
def test_a_name_that_means_a_method_is_told(name, meant):
    assert meant_by(name) == meant
    with pytest.raises(ValueError, match=f"variant '{name}' is no method and would run semalign: if '{meant}' is") as e:
        check_variants({name: Variant.model_validate({"all": {"learning_rate": 1e-3}})}, ["micro_mmlu"])
    assert "\n" not in str(e.value)


@pytest.mark.parametrize(
    "name",
    [
        *("sft", "cross-entropy", "semalign", "semalign-2", "semalign_kl", "last", "kl", "a", "10"),
        *("cross-entropy-last", "SemAlign", "Semalign 2", "logits", "latent-2", "labels"),
    ],
)
def test_a_method_and_a_name_of_its_own_are_taken(name):
    assert meant_by(name) is None


def test_a_method_that_is_named_is_what_runs():
    check_variants({"stf": Variant(method="semalign"), "sft-2": Variant(method="sft")}, ["micro_mmlu"])


def test_two_trainings_of_one_method_are_not_tabulated_as_baselines():
    with pytest.raises(ValueError, match=r"^profile micro: variant 'stf' .* or write `method: sft` under it, else"):
        load_profile("micro", variants={"stf": {"all": {"learning_rate": 3e-3}}})
