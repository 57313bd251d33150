"""The points of grids, by hand, and the packaged grids."""

import pytest

from semalign.experiments.grids import check_grids, check_points, grid, not_chosen, points, settings_at
from semalign.experiments.profile_paths import profile_names
from semalign.experiments.profiles import load_profile

GRIDS = {"semalign-ce": {"output_loss": ["cross_entropy"], "learning_rate": [1e-3, 1e-2]}}


def one_task():
    profile = load_profile("micro-tuned")
    changes = {"selection": GRIDS, "seeds": [3], "tasks": {"micro_mmlu": profile.tasks["micro_mmlu"]}}
    return profile.model_copy(update=changes)


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


def test_a_point_is_on_top_of_settings_with_nothing_chosen_yet():
    point = points(one_task())[1]
    assert settings_at(one_task(), point) == {
        "epochs": 5, "learning_rate": 1e-2, "output_loss": "cross_entropy", "seed": 3,
    }  # fmt: skip


def test_names_tell_points_apart_and_are_shared_by_entries_of_one_method():
    profile = load_profile("micro-plus")
    by_name = {}
    for point in points(profile):
        by_name.setdefault(point.file_name, []).append(
            (point.task, profile.method_of(point.entry).name, point.settings)
        )
    assert all(same[0] == other for same in by_name.values() for other in same)
    grids = {"plain": {"learning_rate": [1e-3]}, "last": {"learning_rate": [1e-3]}}
    shared = profile.model_copy(update={"selection": grids})
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
