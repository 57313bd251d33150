"""The table of a search, from records made by hand."""

import pytest

from semalign.book.tables import searches
from semalign.experiments.profiles import load_profile


def record(before, after, rows):
    return {
        "details": {
            "before": {"response_nll": before},
            "after": {"response_nll": after},
            "held_out": {"row_nll": rows},
        }
    }


@pytest.fixture
def profile():
    return load_profile("sibling-plus")


def test_the_best_point_of_an_entry_has_the_lowest_loss(profile, tmp_path, monkeypatch):
    losses = {3e-4: 0.9, 1e-3: 0.7, 3e-3: 0.8, 1e-2: 1.5}
    made = {p.file_name: p for p in searches.points(profile)}
    monkeypatch.setattr(searches, "missing", lambda *_: {n: "missing" for n, p in made.items() if p.entry != "labels"})
    monkeypatch.setattr(
        searches,
        "read_record",
        lambda path: record(1.0, losses.get(made[path.name].settings["learning_rate"], 2.0), [0.7]),
    )
    found = searches.best_points(profile, tmp_path)
    assert set(found) == {(task, "labels") for task in profile.tasks}
    assert {point.settings["learning_rate"] for point, _ in found.values()} == {1e-3}


def test_differences_are_paired_over_rows(profile):
    (first, *_) = profile.tasks
    points = {p.entry: p for p in searches.points(profile) if p.task == first}
    found = {
        (first, "alone-semantic"): (points["alone-semantic"], record(1.0, 0.75, [0.5, 1.0])),
        (first, "alone-permuted"): (points["alone-permuted"], record(1.0, 1.25, [1.0, 1.5])),
    }
    table = searches.loss_table(profile, found, {"alone-semantic": "alone-permuted"}).set_index(["data", "entry"])
    ours, control = table.loc["MMLU", "alone-semantic"], table.loc["MMLU", "alone-permuted"]
    assert str(ours["rate"]) == "0.1 †"
    assert ours["rate"].data == {"rate": 0.1, "end of the grid": "highest"}
    assert [str(cell) for cell in ours[["NLL", "against before"]]] == ["0.7500", "-0.2500"]
    against = ours["against its control"]
    assert (against.value, against.low, against.high) == (-0.5, -0.5, -0.5)
    assert str(control["against before"]) == "+0.2500" and control["against its control"] == ""
    assert table.loc["GSM8K", f"all {len(profile.selection)} entries"]["NLL"] == "not run"
    assert table.loc["MMLU", "labels"]["NLL"] == "not run"
    text = searches.loss_text(table.reset_index())
    assert text.startswith("- **MMLU**: the loss is lowest with `alone-semantic` (-0.2500 against before).")
    assert "`alone-semantic` (1 of 1 entries with a control)" in text and "GSM8K" not in text
