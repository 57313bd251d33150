"""Differences of held-out losses on records made by hand."""

import pytest
from helpers.losses import write_losses

from semalign.results.losses import loss_differences


def test_a_difference_is_the_mean_over_rows_and_seeds_of_entry_minus_base(tmp_path):
    write_losses(tmp_path, "base", 0, [1.0, 2.0])
    write_losses(tmp_path, "base", 1, [1.0, 4.0])
    write_losses(tmp_path, "better", 0, [0.5, 2.5])  # mean 1.5 against 2.0
    found = loss_differences(tmp_path, {"better": "base", "absent": "base", "base": "absent"})
    (line,) = found.to_dict("records")
    assert (line["entry"], line["base"], line["task"]) == ("better", "base", "micro_gsm8k")
    assert (line["difference"], line["nll"]) == (-0.5, 1.5)
    assert (line["seeds"], line["n"], line["p_holm"]) == (1, 2, line["p"])
    assert (line["low"], line["high"]) == (-1.5, 0.5)  # the second row alone, against one seed of the base or the other


def test_rows_are_paired(tmp_path):
    write_losses(tmp_path, "base", 0, [1.0, 9.0, 5.0])
    write_losses(tmp_path, "ours", 0, [1.5, 9.5, 5.5])
    (line,) = loss_differences(tmp_path, {"ours": "base"}).to_dict("records")
    assert [line[key] for key in ("difference", "low", "high")] == pytest.approx([0.5] * 3)


def test_entries_on_other_numbers_of_rows_are_refused(tmp_path):
    write_losses(tmp_path, "base", 0, [1.0, 2.0])
    write_losses(tmp_path, "ours", 0, [1.0])
    with pytest.raises(ValueError, match="both must score the same items"):
        loss_differences(tmp_path, {"ours": "base"})


def test_only_the_named_records_count(tmp_path):
    write_losses(tmp_path, "base", 0, [1.0])
    kept = write_losses(tmp_path, "ours", 0, [2.0])
    assert loss_differences(tmp_path, {"ours": "base"}, only=[kept.name]).empty
