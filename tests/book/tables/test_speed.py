"""The tables of speed, from records made by hand."""

import math

from helpers.speed import PROFILES, speed_record

from semalign.book.markdown import SPACE
from semalign.book.tables.speed import growth_table, profile_table, shortfalls, size_text, speed_data, speed_table
from semalign.book.tables.speed_reasons import why

RECORDS = {
    "basis": [speed_record(1), speed_record(2, ratio=4.0)],
    "states": [speed_record(1, 1.5, "states", None, None)],
}


def test_a_row_has_the_ratios_of_all_runs_and_the_rest_of_the_last():
    basis, states = (line for _, line in speed_table(RECORDS).iterrows())
    assert [cell.replace(SPACE, "_") for cell in basis] == [  # a cell breaks between runs only
        "The basis", "`peer`", "vocabulary 2,000, width 64", "2_/_8", "3.0_[1.5,_6.0]; 4.0_[2.0,_8.0]", "2.5",
        "200_/_200", "50%", "1e-06",
    ]  # fmt: skip
    assert states["limit"] == "–" and states["MB"] == f"–{SPACE}/{SPACE}200"


def test_a_side_that_ran_once_has_no_spread():
    record = speed_record()
    record["details"]["sizes"][-1]["ours"]["rounds"] = 1
    assert speed_table({"basis": [record]})["ratio"].iloc[0] == "3.0"


def test_the_data_have_every_size_of_every_run():
    data = speed_data(RECORDS)
    assert len(data) == 6 and data["size"].iloc[0] == "vocabulary 1,000, width 64"
    assert data[["ratio", "low", "high", "peer_seconds"]].iloc[3].tolist() == [4.0, 2.0, 8.0, 8.0]
    assert math.isnan(data["memory"].iloc[4]) and math.isnan(data["limit"].iloc[4])


def test_what_falls_short_says_why_or_that_another_run_does_not():
    runs = [speed_record(1, 1.5, "output_kl"), speed_record(2, 2.0, "output_kl")]
    assert shortfalls({"output_kl": runs}) == [f"- **The output_kl** (1.50 of 2.5): {why('output_kl', {})}"]
    runs.append(speed_record(3, 3.0, "output_kl"))
    told = "- **The output_kl** (1.50 of 2.5): another run reaches the mark, with 3.00"
    assert shortfalls({"output_kl": runs}) == [told]
    assert shortfalls(RECORDS) == ["- **The states** (1.50 of 2.5): not explained yet"]


def test_growth_stands_beside_what_the_algorithm_should_have():
    assert growth_table(RECORDS).iloc[0].tolist() == ["The basis", "vocabulary", "1.00; 1.00", "1"]


def test_a_size_reads_as_text():
    assert size_text({"rows": 12_000, "layer": "last"}) == "rows 12,000, layer last"


def test_operations_stand_before_and_after():
    assert profile_table(PROFILES).drop(columns=["step", "size"]).to_numpy().tolist() == [
        ["`aten::mm`", "3.00 s, 1,200 calls", "1.50 s, 600 calls"],
        ["between operations", "1.00 s", "–"],
        ["`aten::add`", "–", "0.25 s, 7 calls"],
        ["all", "4.00 s", "1.75 s"],
    ]
