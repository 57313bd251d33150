"""No variant runs the paper's method because its name was mistyped."""

import pytest

from semalign.experiments.profile_checks import check_no_seed, check_variants, check_written_apart, meant_by
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


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"variants": {"a/b": {}, "a_b": {}}}, "variants: the records of a/b and of a_b would have one file name: ren"),
        ({"teachers": {"a/b_c": [], "a_b/c": [], "a_b_c": []}}, "models: the records of a/b_c and of a_b/c would have"),
    ],
)
def test_names_that_records_write_alike_are_refused(change, message):
    check_written_apart("variants", ["a/b", "a-b", "a", "a/b"])
    with pytest.raises(ValueError, match=f"^profile micro: {message}"):
        load_profile("micro", **change)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"transfer": {"seed": 3}}, "transfer"),
        ({"variants": {"mine": {"all": {"rank": 2}, "micro_mmlu": {"seed": 3}}}}, "variants.mine.micro_mmlu"),
        ({"selection": {"sft": {"seed": [1, 2]}}}, "selection.sft"),
    ],
)
def test_seeds_come_from_one_place(change, where):
    check_no_seed({"transfer": {"rank": 2}})
    with pytest.raises(
        ValueError, match=rf"^profile micro: {where}: it gives a seed, but seeds come from `seeds`, the"
    ):
        load_profile("micro", **change)


def test_two_trainings_of_one_method_are_not_tabulated_as_baselines():
    with pytest.raises(ValueError, match=r"^profile micro: variant 'stf' .* or write `method: sft` under it, else"):
        load_profile("micro", variants={"stf": {"all": {"learning_rate": 3e-3}}})
