"""The cells of a comparison: which models, methods, teachers and seeds it has."""

import pytest

from semalign.experiments.cells import Cell, cells, entries_of
from semalign.experiments.grids import points
from semalign.experiments.profiles import load_profile


def test_cells_cover_models_methods_teachers_and_seeds(profile):
    found = list(cells(profile))
    assert len(found) == len(set(found)) == 3 + 2 * 2 * 2
    assert [cell.method for cell in found].count("none") == 3
    assert len({cell.file_name for cell in found}) == len(found)


def test_only_further_entries_run_from_further_teachers(profile):
    update = {"teachers": {"coder": list(profile.tasks)}, "further_entries": ["seeking"]}
    table = list(cells(profile.model_copy(update=update), ["seeking", "sft"]))
    teachers = {row: {cell.teacher for cell in table if cell.method == row} for row in ("seeking", "sft")}
    assert teachers == {"seeking": {profile.teacher, "coder"}, "sft": {profile.teacher}}


def test_a_variant_may_be_for_some_tasks_only():
    variants = {"here": {"method": "ridge", "tasks": ["micro_mbpp"]}, "everywhere": {"method": "ridge"}}
    profile = load_profile("micro", variants=variants)
    table = cells(profile, ["here", "everywhere"])
    tasks = {row: {cell.task for cell in table if cell.method == row} for row in variants}
    assert tasks == {"here": {"micro_mbpp"}, "everywhere": set(profile.tasks)}


def test_entries_are_methods_and_variants(profile):
    assert entries_of(profile) == ["semalign", "entropy"]
    named = profile.model_copy(update={"variants": {**profile.variants, "ridge": profile.variants["entropy"]}})
    assert entries_of(named) == ["semalign", "entropy", "ridge"], "a method that the profile names is an entry"
    everything = entries_of(profile, ["all"])
    assert everything[:3] == ["semalign", "laten", "seeking"] and everything[-1] == "entropy"
    assert entries_of(profile, ["ridge", "entropy"]) == ["ridge", "entropy"]
    with pytest.raises(ValueError, match="no method or variant 'rigde': choose from all, semalign, laten"):
        entries_of(profile, ["ridge", "rigde"])


def test_a_record_whose_name_is_no_file_name_is_told_before_any_work():
    profile = load_profile("micro")
    cells(profile.model_copy(update={"student": "s" * 180}))
    with pytest.raises(OSError, match=r"^the record .*\.json has a name that is \d+ bytes too long for a file: give"):
        cells(profile.model_copy(update={"student": "s" * 240}))
    grids = {"semalign": {"layer_map": [dict.fromkeys(range(1, 60), 1)]}}
    with pytest.raises(OSError, match=r"^the record micro_mmlu--semalign--layer_map=.* too long"):
        points(profile.model_copy(update={"selection": grids}))


def test_cells_are_picked_by_the_names_of_their_records():
    profile = load_profile("micro")
    name = "sft--micro-teacher--micro-student--micro_mbpp--3"
    assert cells(profile, records=[name]) == [Cell("sft", "micro-teacher", "micro-student", "micro_mbpp", 3)]
    with pytest.raises(ValueError, match=r"no record 'sft--.*--micro_mbp--3' belongs to this profile, did you mean"):
        cells(profile, records=[name.replace("mbpp", "mbp")])
