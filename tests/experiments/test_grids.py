"""The points of grids, by hand, and the packaged grids."""

import pytest

from semalign.experiments.grids import check_grids, check_points, grid, not_chosen, points, settings_at
from semalign.experiments.profile_parts import Variant
from semalign.experiments.profile_paths import profile_names
from semalign.experiments.profiles import load_profile

GRIDS = {"semalign-ce": {"output_loss": ["cross_entropy"], "learning_rate": [1e-3, 1e-2]}}


def one_task():
    profile = load_profile("micro-tuned")
    variants = {"semalign-ce": Variant.model_validate({"micro_mmlu": {"learning_rate": 1.0}})}
    tasks = {"micro_mmlu": profile.tasks["micro_mmlu"]}
    return profile.model_copy(update={"selection": GRIDS, "seeds": [3], "tasks": tasks, "variants": variants})


def test_the_grid_is_the_product_of_the_lists():
    assert list(grid(one_task(), "semalign-ce")) == [
        {"output_loss": "cross_entropy", "learning_rate": 1e-3},
        {"output_loss": "cross_entropy", "learning_rate": 1e-2},
    ]


def test_a_record_is_found_by_what_it_is_of():
    assert [point.file_name for point in points(one_task())] == [
        "micro_mmlu--semalign--learning_rate=0.001,output_loss=cross_entropy.json",
        "micro_mmlu--semalign--learning_rate=0.01,output_loss=cross_entropy.json",
    ]


def test_a_point_takes_the_place_of_what_was_chosen_before():
    point = points(one_task())[1]
    assert settings_at(one_task(), point) == {
        "epochs": 5, "learning_rate": 1e-2, "output_loss": "cross_entropy", "seed": 3,
    }  # fmt: skip


def test_what_an_entry_sets_besides_its_grid_holds_at_every_point_and_is_in_the_name():
    given = {"all": {"output_loss": "cross_entropy", "batch_size": 4, "learning_rate": 1.0}, "micro_mmlu": {"rank": 2}}
    grids = {name: {"learning_rate": [1e-3]} for name in ("mine", "semalign", "again")}
    variants = {"mine": Variant.model_validate(given), "again": Variant.model_validate({"all": {"batch_size": 4}})}
    profile = one_task().model_copy(update={"selection": grids, "variants": variants})
    mine, plain, again = points(profile)
    shared = {"epochs": 5, "learning_rate": 1e-3, "seed": 3}
    assert settings_at(profile, mine) == {**shared, "output_loss": "cross_entropy", "batch_size": 4, "rank": 2}
    assert (settings_at(profile, plain), settings_at(profile, again)) == (shared, {**shared, "batch_size": 4})
    assert [point.file_name for point in (mine, plain, again)] == [
        "micro_mmlu--semalign--batch_size=4,learning_rate=0.001,output_loss=cross_entropy,rank=2.json",
        "micro_mmlu--semalign--learning_rate=0.001.json",
        "micro_mmlu--semalign--batch_size=4,learning_rate=0.001.json",
    ]
    assert mine.settings == {"learning_rate": 1e-3}


def test_points_of_the_packaged_grids_that_share_a_record_have_the_same_settings():
    for name in profile_names():
        profile = load_profile(name)
        by_name = {}
        for point in points(profile) if profile.selection else ():
            made = profile.method_of(point.entry).name, settings_at(profile, point)
            assert by_name.setdefault(point.file_name, made) == made


def test_names_tell_points_apart_and_are_shared_by_entries_of_one_method():
    profile = load_profile("micro-plus")
    by_name = {}
    for point in points(profile):
        by_name.setdefault(point.file_name, []).append(
            (point.task, profile.method_of(point.entry).name, point.settings)
        )
    assert all(same[0] == other for same in by_name.values() for other in same)
    grids = {"plain": {"learning_rate": [1e-3]}, "last": {"learning_rate": [1e-3]}}
    shared = profile.model_copy(update={"selection": grids, "variants": {}})
    assert len({point.file_name for point in points(shared)}) == len(profile.tasks)


def test_a_point_that_its_method_refuses_is_told_and_grids_of_several_sizes_are_not_compared():
    wrong = one_task().model_copy(update={"selection": {"semalign": {"rank": [2, 0]}}})
    with pytest.raises(ValueError, match="profile micro-tuned: selection of semalign: rank: Input should be greater"):
        check_points(wrong, ["semalign"])
    unequal = one_task().model_copy(update={"selection": {"semalign": {"rank": [2]}, "sft": {"rank": [2, 4]}}})
    check_points(unequal, ["semalign", "sft"])
    with pytest.raises(ValueError, match="the grids must have the same number of points"):
        check_grids(unequal, ["semalign"])


def test_an_entry_is_not_chosen_until_its_variant_sets_all_that_its_grid_varies_on_every_task():
    tuned = load_profile("micro-tuned")
    assert not_chosen(tuned, tuned.selection) == []
    assert not_chosen(load_profile("micro-plus"), ["plain", "semalign"]) == ["plain"]
    without = tuned.model_copy(update={"variants": {key: each for key, each in tuned.variants.items() if key != "sft"}})
    assert not_chosen(without, tuned.selection) == ["sft"]
    assert not_chosen(without, ["laten"]) == []
    more = tuned.model_copy(update={"selection": {"laten": {"learning_rate": [1e-3], "rank": [4, 8]}}})
    assert not_chosen(more, ["laten"]) == ["laten"]


def test_the_packaged_grids_are_equally_large_and_possible():
    for name in profile_names():
        if load_profile(name).selection:
            check_grids(load_profile(name), list(load_profile(name).selection))
