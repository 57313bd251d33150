"""Differences of two entries, from records made by hand."""

import numpy as np
import pandas as pd
import pytest

from semalign.results.pairs import NLL, SCORE, lines_of, pair_differences, values_of
from semalign.results.resampling import seeded_bootstrap
from semalign.results.statistics import holm, paired_bootstrap


def frame(*lines):
    return pd.DataFrame(
        [
            {"task": task, "method": method, "seed": seed, "details": {"correct": flags, "held_out": {"row_nll": rows}}}
            for task, method, seed, flags, rows in lines
        ]
    )


@pytest.fixture
def records():
    return frame(
        ("sums", "ours", 1, "1110", [0.4, 0.2, 0.3, 0.1]),
        ("sums", "ours", 0, "1100", [0.6, 0.2, 0.3, 0.1]),
        ("sums", "control", 0, "1100", [0.5, 0.2, 0.3, 0.1]),
        ("sums", "worse", 0, "0000", [1.5, 1.2, 1.3, 1.1]),
        ("words", "ours", 0, "1", [0.1]),
    )


def test_values_have_a_line_for_each_seed_in_order(records):
    ours = records[(records["method"] == "ours") & (records["task"] == "sums")]
    assert values_of(ours, SCORE).tolist() == [[100, 100, 0, 0], [100, 100, 100, 0]]
    assert values_of(ours, NLL)[:, 0].tolist() == [0.6, 0.4]
    assert values_of(records[:0], NLL) is None
    assert values_of(frame(("sums", "none", None, "1", None)).assign(details=[{"correct": "1"}]), NLL) is None


def test_pairs_are_compared_where_both_have_values(records):
    table = pair_differences(records, [("ours", "control"), ("ours", "worse"), ("ours", "absent")], NLL, resamples=500)
    assert table[["task", "ours", "minus"]].values.tolist() == [["sums", "ours", m] for m in ("control", "worse")]
    assert table["difference"].tolist() == pytest.approx([0.025, -0.975])  # of the one seed that both have
    assert table.loc[0, ["seeds", "other_seeds", "n"]].tolist() == [1, 1, 4]
    points = pair_differences(records, [("ours", "worse")], SCORE, resamples=500)
    assert points["difference"].tolist() == pytest.approx([50.0])


def test_without_a_seed_in_common_all_runs_are_compared(records):
    others = records.assign(seed=[0 if method == "ours" else 7 for method in records["method"]])
    others.loc[0, "seed"] = 1
    table = pair_differences(others, [("ours", "control")], NLL, resamples=500)
    assert table["difference"].tolist() == pytest.approx([0.0])  # ours has 0.25 and 0.3, the other 0.275
    assert table.loc[0, ["seeds", "other_seeds"]].tolist() == [2, 1]


def twice(records):
    """Return records with a second seed of every run."""
    return pd.concat([records, records.assign(seed=records["seed"] + 10)], ignore_index=True)


def test_all_lines_of_several_seeds_are_corrected_together(records):
    table = pair_differences(twice(records), [("ours", "control"), ("ours", "worse")], NLL, resamples=500)
    assert table["p_holm"].tolist() == holm(table["p"].tolist()) and table.loc[1, "p_holm"] < 0.05
    assert not table["single"].any()


def test_a_training_with_one_seed_decides_nothing(records):
    """Its line is not corrected, is not equal, and is none of those that the others are corrected for."""
    more = frame(*(("sums", name, seed, "1111", rows) for name, seed, rows in (
        ("near", 0, [0.5, 0.2, 0.3, 0.1]), ("near", 1, [0.5, 0.2, 0.3, 0.1]), ("one", 0, [0.5, 0.2, 0.3, 0.1]),
    )))  # fmt: skip
    made = pd.concat([records, more], ignore_index=True)
    pairs = [("near", "one"), ("one", "near"), ("worse", "one"), ("near", "ours")]
    table = pair_differences(made, pairs, NLL, resamples=500)
    assert table["single"].tolist() == [True, True, True, False]
    assert table["p_holm"].isna().tolist() == [True, True, True, False]
    assert table["p_holm"].iloc[3] == table["p"].iloc[3]  # the only line of its family
    assert table.loc[0, ["equal_low", "equal_high"]].tolist() == [0.0, 0.0] and not table["equal"].any()
    assert table["p"].notna().all()


def test_a_model_as_it_is_has_no_seed_that_could_be_another(records):
    """It counts as several seeds beside several of a training, and beside another model as it is."""
    plain = frame(("sums", "none", None, "0000", [1.5, 1.2, 1.3, 1.1]))
    made = pd.concat([records, plain], ignore_index=True)
    table = pair_differences(made, [("ours", "none"), ("control", "none"), ("none", "none")], NLL, resamples=500)
    assert table["single"].tolist() == [False, True, False]
    assert table["p_holm"].isna().tolist() == [False, True, False]
    assert table["equal"].tolist() == [False, False, True]


def test_without_a_line_of_several_seeds_there_is_no_family(records):
    table = pair_differences(records, [("worse", "control")], NLL, resamples=500)
    assert table["p_holm"].isna().all() and table["p_holm"].dtype == float and not table["equal"].any()


def test_a_pair_in_both_orders_is_one_comparison(records):
    pairs = [("ours", "control"), ("control", "ours"), ("ours", "worse")]
    table = pair_differences(twice(records), pairs, NLL, resamples=500)
    assert table["p_holm"].tolist() == [*[holm(table["p"].tolist()[1:])[0]] * 2, holm(table["p"].tolist()[1:])[1]]
    assert lines_of(table, pairs[1:2])["difference"].tolist() == [-table.loc[0, "difference"]]


def test_a_pair_is_idle_if_no_run_of_either_entry_trained(records):
    assert not pair_differences(records, [("ours", "control")], NLL)["idle"].any()  # nothing is known of it
    for trained, idle in {(False, False, False): True, (False, True, False): False}.items():
        known = records[:3].assign(trained=trained)
        assert pair_differences(known, [("ours", "control")], NLL)["idle"].tolist() == [idle]


def test_a_difference_can_be_shown_among_many(records):
    methods = [f"x{i}" for i in range(40)]
    made = frame(*(("a", name, 0, "1", [1.0 + i * 0.1] * 4) for i, name in enumerate(["ours", *methods])))
    table = pair_differences(twice(made), [("ours", name) for name in methods], NLL, resamples=100)
    assert (table["p_holm"] < 0.01).all()


def test_two_entries_are_equal_if_the_90_percent_interval_is_inside_the_margin():
    ours = np.random.default_rng(0).normal(0.5, 0.1, 100)
    for shift, equal in {0.0: True, 0.0085: False, 0.05: False}.items():
        theirs = ours - shift + np.tile([-0.02, 0.02], 50)
        made = frame(("a", "x", 0, "1", ours.tolist()), ("a", "y", 0, "1", theirs.tolist()))
        (line,) = pair_differences(twice(made), [("x", "y")], NLL).to_dict("records")
        low, high = paired_bootstrap(ours, theirs, confidence=0.9)[1:]
        assert [line["equal_low"], line["equal_high"]] == pytest.approx([low, high], abs=1e-3)
        assert bool(line["equal"]) is equal
        for level, names in ((0.95, ("low", "high")), (0.9, ("equal_low", "equal_high"))):
            alone = seeded_bootstrap(ours[None], theirs[None], confidence=level)
            assert tuple(line[name] for name in names) == pytest.approx((alone.low, alone.high), rel=0, abs=1e-12)


def test_nothing_to_compare_gives_an_empty_table(records):
    assert pair_differences(records, [("a", "b")], SCORE).empty
    with pytest.raises(ValueError, match="runs of ours were measured on different numbers of items"):
        pair_differences(records.assign(task="sums"), [("ours", "control")], NLL)
