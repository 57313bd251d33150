"""Tables of ablations: each variant has a base and a factor, and a difference from its base."""

import math
from itertools import product

import pandas as pd
import pytest
from helpers.losses import write_losses

from semalign.book.tables.ablations import (
    BASES,
    FACTORS,
    ablation_data,
    base_table,
    changes,
    compared,
    factor_table,
    pairs_of,
    reading,
)
from semalign.book.tables.regimes import CONTRASTS
from semalign.experiments.profiles import load_profile
from semalign.results.pairs import COLUMNS
from semalign.results.records import read_records
from semalign.results.statistics import holm


@pytest.fixture(scope="module")
def profile():
    return load_profile("ablations")


def test_every_variant_is_a_base_or_changes_one_factor_of_one(profile):
    found = changes(profile)
    others = {entry for contrast in CONTRASTS.values() for entry in profile.variants if entry.startswith(contrast[:2])}
    others |= {f"permuted-{base}-heads" for base in ("literal", "both", "alone")}
    assert {change.entry for change in found} | set(BASES.values()) | others == {*profile.variants, "semalign"}
    assert {change.factor for change in found} == set(FACTORS)
    of = {change.entry: change for change in found}
    assert of["both-2-layers"] == ("both-2-layers", "both", "layers", "2 layers")
    assert of["both-teacher-answers-by-KL"] == (
        "both-teacher-answers-by-KL", "both", "regime", "teacher answers by KL",
    )  # fmt: skip
    assert of["alone-temperature-0.01"].factor == of["literal-random-tokens"].factor == "strength"
    assert of["inner-teacher-9"].factor == "pairing" and of["literal-signed"].factor == "pairing"


def test_a_variant_differs_from_its_base_in_its_factor_only(profile):
    """But for the layers: where several train, the map of layers gives the pairs."""
    for change in changes(profile):
        method = profile.method_of(change.entry)
        assert method is profile.method_of(BASES[change.base])
        for task in profile.tasks:
            names = (change.entry, BASES[change.base])
            ours, theirs = (method.settings(**profile.settings_for(task, name)).model_dump() for name in names)
            differing = {key for key in ours if ours[key] != theirs[key]}
            assert differing <= FACTORS[change.factor].settings | {"student_layer", "teacher_layer"}, change.entry


def test_training_on_fewer_rows_takes_as_many_steps(profile):
    """Only then does a difference come from the rows and not from the length of the training."""
    found = [entry for entry in profile.variants if entry.endswith("-rows")]
    assert len(found) == 21
    for entry, task in product([*found, "both"], profile.tasks):
        settings = profile.method_of(entry).settings(**profile.settings_for(task, entry))
        rows = settings.train_size or profile.tasks[task].train_size
        assert math.ceil(rows / settings.batch_size) * settings.epochs == 80


def test_a_variant_without_a_factor_is_an_error(profile):
    added = {"both-more": profile.variants["both"]}
    with pytest.raises(ValueError, match="variant 'both-more' of profile ablations changes no factor of 'both'"):
        changes(profile.model_copy(update={"variants": {**profile.variants, **added}}))


def test_differences_stand_by_value_and_base_and_the_rest_is_not_run(profile, tmp_path):
    names = [
        write_losses(tmp_path, method, seed, rows, task="micro_mmlu").name
        for seed in (0, 1)
        for method, rows in (("semalign", [1.0, 2.0]), ("literal-permuted", [1.5, 2.5]), ("literal-random", [0.5, 1.5]))
    ]
    lines = ablation_data(profile, compared(profile, read_records(tmp_path, names)))
    assert lines[["base", "factor", "value", "difference"]].to_numpy().tolist() == [
        ["literal", "map", "permuted", 0.5], ["literal", "map", "random", -0.5],
    ]  # fmt: skip
    table = factor_table(profile, lines, "map").set_index("map")
    assert list(table) == ["benchmark", "literal", "both", "alone"] and set(table.pop("benchmark")) == {"MMLU"}
    cell = table.loc["permuted", "literal"]
    assert (cell.value, cell.low, cell.high, cell.bold) == (0.5, 0.5, 0.5, True)
    assert table.loc["ridge", "literal"] == table.loc["permuted", "alone"] == "not run"
    said = reading(lines, "map")
    assert said == "- MMLU, around `literal`, the loss is lower with random (-0.5000); higher with permuted (+0.5000)."
    lines.loc[lines["value"] == "random", "p_holm"] = 0.05
    assert "higher with permuted (+0.5000); neither clearly lower nor higher with the other 1." in reading(lines, "map")
    assert reading(lines, "weight") == "*not run*"
    before = {"micro_mmlu": [2.0, 2.0]}
    records = read_records(tmp_path, names).assign(teacher=profile.teacher, student=profile.student)
    bases = base_table(profile, records, before).set_index("starting point")
    shown = [f"{bases.loc['`literal`', f'MMLU, {what}'].value:.4f}" for what in ("before", "after", "change")]
    assert shown == ["2.0000", "1.5000", "-0.5000"]
    assert bases.loc["`both`", "MMLU, after"] == "not run"


def test_all_comparisons_are_one_family_in_which_both_orders_of_a_pair_count_once(profile, tmp_path):
    losses = {"semalign": [1.0, 2.0], "literal-permuted": [1.5, 2.6], "literal-random": [0.5, 1.9], "both": [3.0, 1.0]}
    runs = product(losses.items(), (0, 1))
    names = [write_losses(tmp_path, method, seed, rows, task="micro_mmlu").name for (method, rows), seed in runs]
    further = [("semalign", "literal-random"), ("both", "semalign"), ("both", "unknown")]
    lines = compared(profile, read_records(tmp_path, names), further).set_index(["ours", "minus"])
    both_ways = [("literal-random", "semalign"), ("semalign", "literal-random")]
    assert list(lines.index) == [("literal-permuted", "semalign"), both_ways[0], *further[:2]]
    once = lines.drop(index=both_ways[1:])
    assert once["p_holm"].tolist() == holm(once["p"].tolist())
    assert lines.loc[both_ways[0], "p_holm"] == lines.loc[both_ways[1], "p_holm"]
    assert set(ablation_data(profile, lines.reset_index())["entry"]) == {"literal-permuted", "literal-random"}


def test_a_value_that_a_base_does_not_have_is_blank(profile):
    empty = pd.DataFrame(columns=[*COLUMNS, "entry", "base", "factor", "value"])
    table = factor_table(profile, empty, "pairing").set_index(["benchmark", "pairing"])
    assert list(table) == ["inner", "both", "literal"] and set(table.index.get_level_values(0)) == {"MMLU", "GSM8K"}
    assert tuple(table.loc["MMLU", "interpolated"]) == ("not run", "", "")


def test_a_value_that_no_base_is_tried_with_on_a_benchmark_has_no_line(profile):
    empty = pd.DataFrame(columns=[*COLUMNS, "entry", "base", "factor", "value"])
    table = factor_table(profile, empty, "strength").set_index("benchmark")["strength of decomposition"]
    assert set(table["MMLU"]) - set(table["GSM8K"]) == {"tokens of the data", "random tokens"}


def test_the_nearest_layer_is_that_of_the_highest_similarity(profile):
    cells = [(layer, k, 0.5 + 0.1 * (layer == 9)) for layer in range(1, 11) for k in range(1, 9)]
    similarity = pd.DataFrame(cells, columns=["teacher_layer", "student_layer", "cka"])
    similarity = similarity.assign(condition="before", states="raw", kernel="linear")
    after = similarity.assign(condition="after", cka=1.0)
    assert pairs_of(profile, pd.concat([after, similarity])) == (
        "Around `inner`, student layer 7 has teacher layer 8 by the formula, and is most similar to teacher layer 9 by "
        "linear CKA (0.600, against 0.500)"
    )
