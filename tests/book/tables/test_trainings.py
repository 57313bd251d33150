"""Tables of what trainings did, from records made by hand."""

import numpy as np
import pandas as pd
import pytest
from helpers.profiles import with_own_task

from semalign.book.markdown import SPACE
from semalign.book.tables.trainings import change_points, curve_table, trained_text, training_lines, training_table
from semalign.experiments.profiles import load_profile
from semalign.results.records import make_record, read_records, write_record
from semalign.results.statistics import mean_interval

BEFORE = {"micro_gsm8k": [0.5, 0.1]}


def record(folder, method, seed, value, student="micro-sibling", task="micro_gsm8k", by="micro-teacher", **details):
    teacher = None if method == "none" else by
    fields = dict(method=method, teacher=teacher, student=student, task=task, seed=seed, metric="m",
                  value=value, n=2, interval=[0.0, 100.0], configuration={}, fingerprints={}, seconds=1.0)  # fmt: skip
    write_record(folder / f"{method}-{task}-{by}-{seed}.json", make_record(**fields, details=details))


def details(change, rows):
    nll = {"before": 0.3, "after": float(np.mean(rows)), "low": 0.2, "high": 0.4, "n": 2, "split": "validation"}
    cosine = {"before": 0.05, "after": 0.25}
    return {"steps": 80, "weight_change": change, "layer_cosine": cosine, "held_out": {**nll, "row_nll": rows}}


@pytest.fixture
def profile():
    return load_profile("micro-sibling")


@pytest.fixture
def records(tmp_path):
    record(tmp_path, "none", None, 40.0)
    record(tmp_path, "semalign", 0, 44.0, **details(0.01, [0.7, 0.2]))
    record(tmp_path, "semalign", 1, 50.0, **details(0.03, [0.9, 0.2]))
    record(tmp_path, "layer-cosine", 0, 41.0, **details(0.001, [0.5, 0.1]))
    record(tmp_path, "seeking", 0, 60.0)  # an older record, without what the training did
    return read_records(tmp_path)


ENTRIES = ["semalign", "layer-cosine", "seeking", "output-cosine"]


def test_a_line_has_means_over_seeds_and_differences_paired_by_row(profile, records):
    lines = training_lines(profile, records, ENTRIES, BEFORE).set_index("entry")
    assert list(lines.index) == ENTRIES[:3]
    ours = lines.loc["semalign"]
    assert ours[["score", "low", "high"]].tolist() == pytest.approx(list(mean_interval([44.0, 50.0])))
    assert ours[["seeds", "gain", "steps", "weight_change", "idle"]].tolist() == pytest.approx([2, 7.0, 80, 0.02, 0])
    assert ours[["nll_before", "nll", "change"]].tolist() == pytest.approx([0.3, 0.5, 0.2])
    assert ours["change_low"] == pytest.approx(0.1) and ours["change_high"] == pytest.approx(0.4)
    still = lines.loc["layer-cosine", ["low", "high", "change", "idle"]].tolist()
    assert still == pytest.approx([0.0, 100.0, 0.0, 1])
    assert lines.loc["seeking", ["steps", "weight_change", "nll", "idle"]].isna().all()
    without = training_lines(profile, records, ENTRIES, {}).set_index("entry")
    assert without.loc["semalign", "nll"] == pytest.approx(0.5) and np.isnan(without.loc["semalign", "change"])


def test_the_table_says_what_is_there_and_what_was_not_run(profile, records):
    lines = training_lines(profile, records, ENTRIES, BEFORE)
    table = training_table(profile, lines, records, ENTRIES)
    assert table["entry"].tolist()[:2] == ["all 4 entries", "student as it is"] and len(table) == 1 + 3 + 4
    found = {
        (line["data"], line["entry"]): [str(cell).replace(SPACE, " ") for cell in line.iloc[3:]]
        for _, line in table.iterrows()
    }
    assert table.set_index(["data", "entry"]).loc[("GSM8K", "SemAlign"), "seeds"] == "2"
    own = found["GSM8K", "student as it is"]
    assert own[0].startswith("40.0") and own[1:6] == ["–"] * 5
    still = found["GSM8K", "layer-cosine"]
    assert still[1:5] == ["80", "0.10", "0.050 → 0.250", "0.3000 → 0.3000"]
    assert still[5].startswith("+0.0000") and still[6] == "no"
    assert found["GSM8K", "Seeking"][1:] == ["–"] * 6
    assert found["GSM8K", "1 more"] == ["not run", *["–"] * 6] == found["MMLU", "all 4 entries"]
    unscored = training_table(profile.model_copy(update={"scored": False}), lines, records, ENTRIES)
    lacking = unscored.set_index(["data", "entry"]).loc[("GSM8K", "1 more")]
    assert lacking["NLL"] == "not run" and lacking["score"] == "–"


def test_a_task_of_the_users_own_is_found_by_its_name(profile, tmp_path):
    record(tmp_path, "none", None, 40.0, task="arithmetic")
    record(tmp_path, "semalign", 0, 44.0, task="arithmetic", **details(0.01, [0.7, 0.2]))
    mine, records = with_own_task(profile), read_records(tmp_path)
    lines = training_lines(mine, records, ["semalign"], {"arithmetic": [0.5, 0.1]})
    assert lines[["task", "gain"]].values.tolist() == [["arithmetic", 4.0]] and lines["change"].notna().all()
    table = training_table(mine, lines, records, ["semalign"])
    assert table[["data", "entry"]].values.tolist() == [["arithmetic", "student as it is"], ["arithmetic", "SemAlign"]]


def test_a_further_teacher_has_its_own_tasks_and_entries(tmp_path):
    profile, by = load_profile("micro"), {"student": "micro-student", "by": "micro-coder"}
    for task in ("micro_gsm8k", "micro_mbpp"):
        record(tmp_path, "none", None, 10.0, student="micro-student", task=task)
    record(tmp_path, "semalign", 0, 12.0, task="micro_mbpp", **by, **details(0.01, [0.7, 0.2]))
    record(tmp_path, "semalign", 0, 99.0, task="micro_mbpp", student="micro-student", **details(0.01, [0.7, 0.2]))
    records, entries = read_records(tmp_path), ["semalign", "seeking", "cross-entropy"]
    lines = training_lines(profile, records, entries, {}, "micro-coder")
    assert lines[["task", "entry", "score"]].values.tolist() == [["micro_mbpp", "semalign", 12.0]]
    table = training_table(profile, lines, records, entries, "micro-coder")
    assert table[["data", "entry"]].values.tolist() == [
        ["HumanEval", "all 2 entries"],
        ["MBPP", "student as it is"],
        ["MBPP", "SemAlign"],
        ["MBPP", "1 more"],
    ]


def test_an_entry_trained_if_all_of_its_runs_did():
    said = [trained_text(pd.Series({"idle": idle, "seeds": 5})) for idle in (0.0, 5.0, 2.0, float("nan"))]
    assert said == ["yes", "no", "3 of 5", "–"]


def test_points_have_profile_and_kind_of_method(profile, records):
    lines = training_lines(profile, records, ENTRIES, {})
    points = change_points([(profile, lines), (profile, lines[:0])])
    assert points[["profile", "entry", "kind"]].values.tolist() == [
        ["micro-sibling", "semalign", "method"],
        ["micro-sibling", "layer-cosine", "control"],
        ["micro-sibling", "seeking", "baseline"],
    ]
    assert points["gain"].tolist() == [7.0, 1.0, 20.0]
    assert change_points([(profile, lines[:0])]).empty


def test_curves_are_told_by_their_lowest_loss_and_their_end():
    found = [
        ("sft", "micro_mmlu", 0, 0, 0.5), ("sft", "micro_mmlu", 0, 15, 0.25), ("sft", "micro_mmlu", 0, 80, 0.75),
        ("sft", "micro_mmlu", 1, 0, 0.5), ("sft", "micro_mmlu", 1, 15, 0.75), ("sft", "micro_mmlu", 1, 80, 1.25),
        ("seeking", "micro_mmlu", 0, 0, 0.5), ("seeking", "micro_mmlu", 0, 80, 0.125),
        ("seeking", "micro_gsm8k", 0, 0, 2.0), ("seeking", "micro_gsm8k", 0, 5, 3.0),
    ]  # fmt: skip
    points = pd.DataFrame(found, columns=["method", "task", "seed", "step", "response_nll"])
    table = curve_table(points)
    assert table["data"].tolist() == ["MMLU", "MMLU", "GSM8K"]
    assert table["entry"].tolist() == ["sft", "Seeking", "Seeking"]
    assert table[["start", "lowest", "after steps", "end"]].to_numpy().tolist() == [
        [0.5, 0.5, 15, 1.0], [0.5, 0.125, 80, 0.125], [2.0, 3.0, 5, 3.0],
    ]  # fmt: skip
    assert curve_table(points[:0]).empty
