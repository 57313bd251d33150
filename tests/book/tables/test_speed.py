"""The tables of speed, from records made by hand."""

import math

from helpers.speed import PROFILES, speed_record

from semalign.book.markdown import SPACE
from semalign.book.tables.speed import growth_table, profile_table, size_text, sizes_table, speed_data, speed_table

RECORDS = {
    "basis": [speed_record(1), speed_record(2, ratio=4.0)],
    "states": [speed_record(1, 1.5, "states", None, None)],
}


def test_a_row_has_the_ratios_of_all_runs_and_the_rest_of_the_last():
    basis, states = (line for _, line in speed_table(RECORDS).iterrows())
    assert [cell.replace(SPACE, "_") for cell in basis] == [  # a cell breaks between runs only
        "The basis", "`peer`", "vocabulary 2,000, width 64", "2_/_8", "3.00_[1.50,_6.00]; 4.00_[2.00,_8.00]", "2.5",
        "200_/_200", "50%", "1e-06",
    ]  # fmt: skip
    assert states["limit"] == "–" and states["MB"] == f"–{SPACE}/{SPACE}200"


def test_a_side_that_ran_once_has_no_spread():
    record = speed_record()
    record["details"]["sizes"][-1]["ours"]["rounds"] = 1
    assert speed_table({"basis": [record]})["ratio"].iloc[0] == "3.00"


def test_the_data_have_every_size_of_every_run():
    data = speed_data(RECORDS)
    assert len(data) == 6 and data["size"].iloc[0] == "vocabulary 1,000, width 64"
    assert data[["ratio", "low", "high", "peer_seconds"]].iloc[3].tolist() == [4.0, 2.0, 8.0, 8.0]
    assert math.isnan(data["memory"].iloc[4]) and math.isnan(data["limit"].iloc[4])


def test_every_size_has_a_row_with_its_rounds():
    table = sizes_table(RECORDS)
    assert table["size"].tolist() == ["vocabulary 1,000, width 64", "vocabulary 2,000, width 64"] * 2
    assert table["ratio"].iloc[0] == table["ratio"].iloc[1] and set(table["rounds"]) == {"5"} and "peer" not in table


def test_a_run_without_a_size_is_left_out_of_its_row():
    first, second = speed_record(1), speed_record(2, ratio=4.0)
    del first["details"]["sizes"][-1]
    assert sizes_table({"basis": [first, second]})["ratio"].str.count(";").tolist() == [1, 0]


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
