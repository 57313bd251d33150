"""Differences in held-out loss at the same training rows, from records that are made by hand."""

from itertools import product

import pandas as pd
import pytest
from helpers.losses import write_losses

from semalign.book.tables.ablations import compared
from semalign.book.tables.regimes import CONTRASTS, REGIMES, regime_data, regime_reading, regime_table, tried
from semalign.experiments.profiles import load_profile
from semalign.results.pairs import COLUMNS
from semalign.results.records import read_records


@pytest.fixture(scope="module")
def profile():
    return load_profile("ablations")


def settings(profile, task, entry):
    return profile.method_of(entry).settings(**profile.settings_for(task, entry)).model_dump()


@pytest.mark.parametrize("name", ["ablations", "student-ablations"])
def test_both_sides_of_a_contrast_train_on_the_same_rows(name):
    profile = load_profile(name)
    same = ("train_size", "epochs", "responses", "learning_rate", "student_layer", "interface")
    found = tried(profile)
    assert len(found) == 23
    for ((contrast, _), entries), task in product(found.items(), profile.tasks):
        ours, minus = (settings(profile, task, entry) for entry in entries)
        assert {ours[key] == minus[key] for key in same} == {True}
        weights = (ours["layer_weight"], minus["layer_weight"])
        assert weights == ((1.0, 1.0) if contrast.startswith("layer term alone") else (1.0, 0.0))
        assert minus["map"] == ("permuted" if weights == (1.0, 1.0) else "semantic")


def test_differences_stand_by_rows_and_contrast(profile, tmp_path):
    rows = {"both-32-rows": [1.0, 2.0], "labels-32-rows": [1.5, 2.5], "both": [3.0, 1.0], "both-weight-0": [1.0, 1.0]}
    runs = product(rows.items(), (0, 1))
    names = [write_losses(tmp_path, method, seed, values, task="micro_mmlu").name for (method, values), seed in runs]
    lines = regime_data(profile, compared(profile, read_records(tmp_path, names), tried(profile).values()))
    assert lines[["contrast", "regime", "difference"]].to_numpy().tolist() == [
        ["layer term and labels, minus labels", "32 rows", -0.5],
        ["layer term and labels, minus labels", "1,000 rows", 1.0],
    ]
    table = regime_table(profile, lines).set_index(["benchmark", "training rows"])
    assert list(table) == list(CONTRASTS) and len(table) == 2 * len(REGIMES)
    first = table.loc["MMLU", "32 rows"]
    assert first.iloc[0].bold and str(first.iloc[0]).strip("*").startswith("-0.5000")
    assert list(first.iloc[1:]) == ["not run"] * 3
    assert list(table.loc["GSM8K", "teacher's answers, KL"]) == ["not run", "not run", "not run", ""]
    said = regime_reading(lines).splitlines()
    assert said[0] == (
        "- *Layer term and labels, minus labels*, MMLU: clearly lower with 32 rows; neither with the other 1."
    )
    assert said[1].endswith("MMLU: not run.") and len(said) == len(CONTRASTS)
    assert regime_reading(lines.iloc[:0]) == "*not run*"


def test_rows_that_a_profile_does_not_try_have_no_line(profile):
    kept = {name: each for name, each in profile.variants.items() if not name.endswith(("-100-rows", "-300-rows"))}
    less = profile.model_copy(update={"variants": kept})
    table = regime_table(less, regime_data(less, pd.DataFrame(columns=COLUMNS)))
    asked = ["32 rows", "1,000 rows", "teacher's answers", "teacher's answers, KL"]
    assert table["training rows"].tolist() == 2 * asked
