"""The table of one changed setting, from records made by hand."""

import numpy as np
import pytest
from helpers.claims import put

from semalign.book.markdown import numbers
from semalign.book.tables import one_change
from semalign.book.tables.analyses import layers
from semalign.experiments.profiles import load_profile
from semalign.results.records import read_records

HELD_OUT = {"before": 1.0, "after": 1.0, "low": 0.5, "high": 1.5, "split": "validation"}


def transfer(folder, entry, task, seed, nll, pair=(1, 1), rows=(0.5, 1.5)):
    after = {"layer_cosine": 0.25 + seed / 2, "output_cosine": 0.5, "response_nll": nll}
    details = {
        "teacher_layers": [[pair[0], 1.0]],
        "student_layer": pair[1],
        "mean_direction_share": 0.75,
        "before": {"layer_cosine": 0.125, "output_cosine": 0.25, "response_nll": 1.0},
        "after": after,
        "held_out": {**HELD_OUT, "n": len(rows), "row_nll": list(rows)},
    }
    put(folder, f"{entry}--{task}--{seed}.json", method=entry, task=task, seed=seed, details=details)


@pytest.fixture
def profile():
    return load_profile("micro-changes")


@pytest.fixture
def records(tmp_path):
    for seed in (0, 1):
        transfer(tmp_path, "semalign", "micro_gsm8k", seed, 1.5 + seed)
        transfer(tmp_path, "LoRA-rank-4", "micro_gsm8k", seed, 2.0, rows=(1.5, 2.5))
        transfer(tmp_path, "signed-attribution", "micro_gsm8k", seed, 3.0, pair=(1 + seed, 1 + seed))
    transfer(tmp_path, "LoRA-rank-4", "micro_mmlu", 0, 9.0)
    return read_records(tmp_path / "data" / "results")


def test_a_line_holds_means_over_seeds_and_the_difference_to_the_base(profile, records):
    lines = one_change.differences(profile, records)
    assert set(lines["minus"]) == {"semalign"} and set(lines["task"]) == {"micro_gsm8k"}
    table = one_change.variant_table(profile, records, lines, "micro_gsm8k").set_index("changed")
    assert "cross-entropy without layer term" in table.index
    assert table.index.tolist()[:3] == ["the student as it is", "nothing", "rate of the paper"]
    kept = ["layer cosine", "output cosine", "response NLL"]
    assert table.loc["the student as it is", kept].tolist() == [0.125, 0.25, 1.0]
    assert table.loc["nothing", ["layers", *kept, "mean share"]].tolist() == [layers(1, 1), 0.5, 0.5, 2.0, 0.75]
    changed = table.loc["LoRA rank 4", one_change.AGAINST]
    assert (changed.value, changed.low, changed.high) == (1.0, 1.0, 1.0) and changed.bold
    assert table.loc["nothing", one_change.AGAINST] == ""
    assert numbers(table.reset_index())["teacher layer"][1] == 1


def test_seeds_that_chose_different_layers_are_several(profile, records):
    table = one_change.variant_table(profile, records, one_change.differences(profile, records), "micro_gsm8k")
    assert table.set_index("changed").loc["signed attribution", "layers"] == "several"


def test_what_has_no_record_is_not_run(profile, records):
    lines = one_change.differences(profile, records)
    table = one_change.variant_table(profile, records, lines, "micro_mmlu").set_index("changed")
    assert table.loc["nothing", "layers"] == table.loc["no warm-up", "layers"] == "not run"
    assert np.isnan(table.loc["no warm-up", "response NLL"])
    assert table.loc["LoRA rank 4", "response NLL"] == 9.0
    assert "the student as it is" not in table.index
