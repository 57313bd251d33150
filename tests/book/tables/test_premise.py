"""Tables of the premise, from a record made by hand."""

import math

import pytest
from helpers.diagnoses import patch, record

from semalign.book.markdown import Interval, numbers
from semalign.book.tables import premise
from semalign.book.tables.analyses import layers


def test_a_pair_has_one_line_of_correspondence_whatever_the_data():
    table = premise.correspondence_table([record(task="words"), record(task="sums"), record("other", value=0.2)])
    assert table["teacher"].tolist() == ["big", "other"]
    assert table.iloc[0].tolist()[2:] == [10, Interval(75.0), 0.5, Interval(0.1, 0.05, 0.15, decimals=3), 0.8, 0.7, 3.0]


def test_readings_are_those_of_the_last_layer_and_the_data_have_their_intervals():
    table = premise.reading_table([record()])
    assert table.loc[0, "pair"] == "big → small, words"
    row = numbers(table).iloc[0]
    assert row["the paper's map"] == pytest.approx(30) and row["permuted atoms"] == pytest.approx(2)
    assert row["student's own"] == pytest.approx(60) and row["best fit at its width"] == pytest.approx(90)
    assert str(table.loc[0, "the paper's map"]) == "30.0"
    semantic = next(line for line in record()["details"]["readings"][::-1] if line["map"] == "semantic")
    ends = row[["the paper's map, low", "the paper's map, high"]].tolist()
    assert ends == pytest.approx([100 * semantic["low"], 100 * semantic["high"]])


@pytest.mark.parametrize(("measure", "semantic", "own"), [("top_5", 35, 65), ("kl", 1.7, 1.4)])
def test_shares_are_in_percent_and_divergences_in_nats(measure, semantic, own):
    (row,) = premise.reading_table([record()], measure).to_dict("records")
    assert row["the paper's map"] == pytest.approx(semantic) and row["student's own"] == pytest.approx(own)


def test_a_student_with_more_layers_than_its_teacher_does_not_hide_the_last_layer():
    deep = record()
    deep["details"]["readings"][0]["layer"] = 30
    row = numbers(premise.reading_table([deep])).iloc[0]
    assert row["the paper's map"] == pytest.approx(30) and row["student's own"] == pytest.approx(60)


def test_a_pair_is_shown_without_and_with_the_weights_of_the_final_norm():
    made = ((0.5, False), (0.25, True))
    plain, folded = (record(value=value) | {"configuration": {"fold_norm": fold}} for value, fold in made)
    table = premise.norm_table([plain, folded])
    assert table["weights of the norm"].tolist() == ["left out", "folded in"]
    assert table["CKA of atoms"].tolist() == [50, 25]
    assert numbers(table)["the paper's map"].tolist() == pytest.approx([30, 30])
    assert "pair" not in table


def test_records_on_a_benchmark_are_those_of_its_title():
    found = [record(task="micro_gsm8k"), record(task="gsm8k"), record(task="micro_mmlu")]
    assert [each["task"] for each in premise.on_benchmark(found, "GSM8K")] == ["micro_gsm8k", "gsm8k"]


def test_patches_are_shown_where_they_serve_best():
    (row,) = premise.patch_table([record()]).to_dict("records")
    assert row["layer"] == layers(5, 4) and row["strength"] == "0.5"
    assert row["against its own"] == Interval(-0.25, -0.35, -0.15, signed=True, decimals=4)
    assert row["against permuted"] == Interval(-0.5, -0.5, -0.5, signed=True, decimals=4) and row["against zero"] == ""
    assert premise.patch_table([record()], "ridge").empty


def test_a_number_that_a_record_lacks_is_left_out():
    without = record()
    without["details"]["patches"] = [patch("semantic", 1, 0.2, math.nan)]
    assert premise.patch_table([without])["against permuted"].tolist() == [""]


def test_records_of_other_kinds_are_left_out_and_the_closest_pairs_come_first(tmp_path, monkeypatch):
    for name, made in {"a": record(value=0.1), "b": record(value=0.9), "c": {**record(), "method": "sft"}}.items():
        (tmp_path / f"{name}.json").touch()
        monkeypatch.setitem(KNOWN, f"{name}.json", made)
    monkeypatch.setattr(premise, "read_record", lambda path: KNOWN[path.name])
    assert [found["value"] for found in premise.diagnoses(tmp_path)] == [0.9, 0.1]
    assert premise.file_of(record()) == "big--small--words.json"


def test_verdicts_are_made_from_the_numbers_of_a_record():
    made = record()
    wide = {"against_zero_high": 0.1, "interface": "mlp"}
    made["details"]["patches"] = [patch("semantic", 1, 0.2, -0.5) | wide, patch("ridge", 4, 1.0) | wide]
    (pair, text), *others = premise.verdicts([made]).items()
    assert pair == "big → small" and not others
    first, atoms, _, states, advice = text.splitlines()
    assert first == "- **words**" and "CKA 0.500 of 1, random pairs 0.100 [0.050, 0.150]" in atoms
    assert "at layer 1, but nowhere clearly better" in states and "take labels" in advice


def test_tasks_are_in_the_order_of_the_paper_and_all_measurements_in_one_frame(tmp_path, monkeypatch):
    made = {f"{task}.json": record(task=task) for task in ("micro_gsm8k", "micro_mmlu", "words")}
    for name in made:
        (tmp_path / name).touch()
    monkeypatch.setattr(premise, "read_record", lambda path: made[path.name])
    found = premise.diagnoses(tmp_path)
    assert [each["task"] for each in found] == ["micro_mmlu", "micro_gsm8k", "words"]
    frame = premise.measured(found, "readings")
    assert len(frame) == 15 and frame.columns[:4].tolist() == ["teacher", "student", "task", "read"]
    assert premise.measured([], "patches").empty


def test_findings_of_a_pair_are_over_all_its_data():
    with_zero = {"against_zero_high": -0.1}
    words, sums = record(task="words"), record(task="sums")
    words["details"]["patches"] = [patch("semantic", 4, -0.25, -0.5) | with_zero, patch("zero", 4, 1.0, 0.0)]
    sums["details"]["patches"] = [patch("semantic", k, 0.25, -0.5) | with_zero for k in (1, 4)]
    sums["details"]["readings"][3]["top_1"] = 0.4
    pair, atoms, read, places = premise.findings([words, sums]).splitlines()
    assert "big → small" in pair and "CKA 0.50, at random 0.10" in atoms
    assert (
        "from 30–40% of the aligned states" in read
        and "from 2% with permuted" in read
        and "from 60% of the student" in read
    )
    assert "at 1 of 3 places, on 1 of 2 data sets" in places


KNOWN = {}
