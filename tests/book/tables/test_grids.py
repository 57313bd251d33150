"""Tables of grids, from points made by hand."""

import pandas as pd
import pytest

from semalign.book.tables import grids
from semalign.experiments import selection
from semalign.experiments.profiles import load_profile


@pytest.fixture
def grid():
    nan = float("nan")
    lines = [
        ["micro_mmlu", "sft", 0, 1e-3, nan, None, 40.0, 200, 0.6, 0.5, False],
        ["micro_mmlu", "sft", 1, 1e-2, nan, None, 41.25, 200, 0.6, 0.6, True],
        ["micro_gsm8k", "sft", 0, 1e-3, nan, None, 20.0, 200, 0.25, 0.25, True],
        ["micro_gsm8k", "sft", 1, 1e-2, nan, None, 10.0, 200, 0.25, 0.3, False],
        ["micro_mmlu", "ridge", 0, 3e-4, 0.3, "kl", 30.0, 200, 0.8, 0.7, True],
    ]
    columns = ["task", "variant", "point", "learning_rate", "layer_weight", "output_loss", "value", "n"]
    return pd.DataFrame(lines, columns=[*columns, "nll_before", "response_nll", "best"])


@pytest.fixture
def profile():
    ridge = {"learning_rate": [1e-4, 3e-4], "layer_weight": [0.1, 0.3, 1.0], "output_loss": ["kl"]}
    grids = {"sft": {"learning_rate": [3e-4, 1e-3, 1e-2]}, "ridge": ridge}
    return load_profile("micro-tuned").model_copy(update={"selection": grids})


def test_the_chosen_points_with_the_settings_that_they_change(profile, grid):
    table = grids.chosen_table(profile, grid)
    assert table.columns.tolist() == ["entry", "MMLU", "GSM8K"]
    assert table.set_index("entry").loc["ridge"].tolist() == [
        "learning_rate 0.0003, layer_weight 0.3 (highest)",
        "not run",
    ]
    assert table.set_index("entry").loc["sft"].tolist() == ["learning_rate 0.01 (highest)", "learning_rate 0.001"]


def test_a_point_is_at_an_end_if_one_of_its_numbers_is(profile, grid):
    assert grids.ends(profile, grid).tolist() == ["", "highest", "", "highest", "highest"]
    lower = profile.model_copy(update={"selection": {**profile.selection, "sft": {"learning_rate": [1e-3, 3e-3]}}})
    assert grids.ends(lower, grid).tolist()[:3:2] == ["lowest", "lowest"]


def test_only_numbers_have_ends(profile, grid):
    sft = {"learning_rate": [1e-4, 1e-3, 1e-2, 1e-1], "layer_weight": [float("nan")]}
    grids_of = [{**sft, "top_atoms": [64, None]}, {**sft, "fold_norm": [True, False]}]
    for choices in grids_of:
        wide = profile.model_copy(update={"selection": {**profile.selection, "sft": choices}})
        line = grid[:1].assign(top_atoms=64, fold_norm=True)
        assert grids.ends(wide, line).tolist() == [""]


def test_how_many_chosen_points_are_at_an_end_and_at_how_many_nothing_was_learned(profile, grid):
    lower = profile.model_copy(update={"selection": {**profile.selection, "sft": {"learning_rate": [1e-3, 1e-1]}}})
    said = grids.ends_text(lower, grid)
    assert said.startswith("Of 3 choices 1 took the lowest value that was tried, and 1 the highest (`ridge` on MMLU). ")
    assert "At 1 of the lowest the validation NLL is at most 0.001 nats below" in said
    better = grid.assign(response_nll=grid["nll_before"] - 0.0011)
    assert said.endswith("At 0 it is lower.")
    told = grids.ends_text(lower, better)
    assert "At 0 of the lowest" in told and "At 1 it is lower (`sft` on " in told


def test_the_whole_grid_has_the_chosen_points_in_bold(profile, grid):
    table = grids.whole_grid_table(profile, grid).set_index(["entry", "point"])
    assert table.loc[("sft", 1)].tolist() == ["learning_rate 0.01", "**41.2**", "10.0"]
    assert table.loc[("ridge", 0), "GSM8K"] == "not run"


def test_a_search_shows_the_lowest_nll_of_each_entry_in_the_order_of_the_search(grid):
    table = grids.search_table(load_profile("micro-tuned"), grid)
    assert table.values.tolist() == [
        ["sft", "0.5000 (40.0)", "0.2500 (20.0)"],
        ["ridge", "0.7000 (30.0)", "not run"],
    ]


def test_the_size_of_a_grid_in_words(grid):
    assert grids.grid_size(grid) == "2 entries, 1 or 2 points each, 200 validation items"


def test_settings_that_are_not_the_chosen_point_are_named():
    profile = load_profile("micro-tuned")
    best = pd.read_csv(selection.results_dir() / "micro-tuned-selection" / selection.TABLE)
    assert grids.not_as_chosen(profile, best) == []
    other = profile.variants["sft"].model_copy(update={"micro_mmlu": {"learning_rate": 1e-4}})
    changed = profile.model_copy(update={"variants": {**profile.variants, "sft": other}})
    assert grids.not_as_chosen(changed, best) == ["sft on MMLU"]
    with pytest.raises(ValueError, match="The grid of profile micro-tuned is not the one that was run"):
        grids.not_as_chosen(profile, best.assign(point=99))
