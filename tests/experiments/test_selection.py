"""Choosing on validation data: every point once, never the test split, the best in the form of a profile."""

import json

import pandas as pd
import pytest
import torch
import yaml
from helpers.profiles import FAST

from semalign.experiments import selection
from semalign.experiments.grids import points
from semalign.experiments.profiles import load_profile
from semalign.results.records import read_record, write_record


@pytest.fixture
def choosing(profile, tmp_path):
    path = tmp_path / "tiny.yaml"
    content = yaml.safe_load(path.read_text())
    grids = {"entropy": {"output_loss": ["cross_entropy"], "learning_rate": [1e-3, 1e-2]}}
    path.write_text(yaml.safe_dump({**content, "transfer": FAST, "selection": grids}))
    (tmp_path / "roots" / "semalign" / "micro-gsm8k" / "test.jsonl").unlink()  # whoever reads it fails
    return load_profile(path)


@pytest.mark.slow
def test_each_point_runs_once_and_the_best_becomes_a_variant(choosing, tmp_path, monkeypatch):
    table = selection.select(choosing, tmp_path / "selection")
    assert table["best"].tolist().count(True) == 1
    assert len(list((tmp_path / "selection").glob("*.json"))) == 2
    variants = selection.chosen(choosing, table)
    assert variants["entropy"]["micro_gsm8k"]["output_loss"] == "cross_entropy"
    assert variants["entropy"]["micro_gsm8k"]["learning_rate"] in (1e-3, 1e-2)
    monkeypatch.setattr(selection, "evaluate", lambda *_, **__: pytest.fail("a finished point ran again"))
    assert selection.select(choosing, tmp_path / "selection").equals(table)


def test_a_point_that_fails_stops_no_other(choosing, tmp_path, monkeypatch):
    tried = []

    def fail(profile, point, folder):
        tried.append(point.number)
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(selection, "_run", fail)
    with pytest.raises(ValueError, match=r"2 points without a record; micro_gsm8k--semalign--.*CUDA out of memory"):
        selection.select(choosing, tmp_path / "selection")
    assert tried == [0, 1]
    assert not (tmp_path / "selection" / "selection.csv").exists()  # no entry is finished


@pytest.mark.slow
def test_the_table_of_what_is_finished_is_kept_although_a_point_fails(two_rows, tmp_path, monkeypatch):
    profile, run = load_profile(two_rows), selection._run

    def fail(profile, point, folder):
        if point.settings.get("epochs") == 2:
            raise ValueError("the loss is NaN")
        return run(profile, point, folder)

    monkeypatch.setattr(selection, "_run", fail)
    with pytest.raises(ValueError, match="1 points without a record"):
        selection.select(profile, tmp_path / "selection")
    assert set(pd.read_csv(tmp_path / "selection" / "selection.csv")["variant"]) == {"mine"}


def test_what_points_are_scored_with_is_checked_although_cells_are_not_scored(choosing, tmp_path, monkeypatch):
    checked = []
    monkeypatch.setattr(selection, "check_runnable", lambda profile, *_: checked.append(profile.scored))
    monkeypatch.setattr(selection, "make_all", lambda *_: [])
    selection.select(choosing.model_copy(update={"scored": False}), tmp_path / "selection")
    assert checked == [True]


@pytest.mark.slow
def test_one_point_can_be_made_alone(choosing, tmp_path):
    first, second = (point.file_name.removesuffix(".json") for point in points(choosing))
    assert selection.select(choosing, tmp_path / "selection", records=[second]).empty
    assert selection.missing(choosing, tmp_path / "selection") == {f"{first}.json": "missing"}
    with pytest.raises(ValueError, match="no record 'other'"):
        selection.select(choosing, tmp_path / "selection", records=["other"])


@pytest.mark.slow
def test_a_point_of_other_settings_or_models_is_made_again(choosing, tmp_path):
    folder = tmp_path / "selection"
    selection.select(choosing, folder)
    assert selection.missing(choosing, folder) == {}
    first, second = (folder / point.file_name for point in points(choosing))

    longer = load_profile(tmp_path / "tiny.yaml", transfer={**choosing.transfer, "rank": 3})
    assert selection.missing(longer, folder) == {
        first.name: "stale: other rank", second.name: "stale: other rank",
    }  # fmt: skip
    record = read_record(first)
    for key in ("task_version", "items"):
        write_record(first, {**record, "configuration": {**record["configuration"], key: "another"}})
        assert selection.missing(choosing, folder) == {first.name: f"stale: other {key}"}
        older = {name: value for name, value in record["configuration"].items() if name != key}
        write_record(first, {**record, "configuration": older})  # from before it was kept
        assert selection.missing(choosing, folder) == {}
    write_record(first, {**record, "fingerprints": {**record["fingerprints"], "teacher": "another"}})
    second.unlink()
    assert selection.missing(choosing, folder) == {first.name: "stale: other teacher", second.name: "missing"}
    assert selection.finished(choosing, folder).empty
    selection.select(choosing, folder)
    assert selection.missing(choosing, folder) == {}
    assert read_record(first)["fingerprints"] == record["fingerprints"]


@pytest.mark.slow
def test_a_damaged_point_is_made_again(choosing, tmp_path, caplog):
    folder = tmp_path / "selection"
    table = selection.select(choosing, folder)
    first, second = (folder / point.file_name for point in points(choosing))
    first.write_text("{")
    content = json.loads(second.read_text())
    del content["checksum"], content["details"]["after"]
    second.write_text(json.dumps(content))
    assert selection.missing(choosing, folder) == {
        first.name: "damaged: not JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
        second.name: "damaged: no number details.after.response_nll",
    }
    assert selection.finished(choosing, folder).empty
    assert selection.select(choosing, folder).equals(table)
    assert caplog.text.count("is damaged: ") == 2


@pytest.fixture
def two_rows(choosing, tmp_path):
    path = tmp_path / "tiny.yaml"
    grids = {"sft": {"epochs": [1, 2]}, "mine": {"learning_rate": [1e-3, 1e-2]}}
    variants = {"mine": {"method": "cross-entropy", "all": {"epochs": 3}}, "sft": {"all": {"epochs": 7}}}
    content = {**yaml.safe_load(path.read_text()), "selection": grids, "variants": variants}
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.mark.slow
def test_any_method_is_tuned_and_a_choice_before_does_not_matter(two_rows, tmp_path):
    profile = load_profile(two_rows)
    table = selection.select(profile, tmp_path / "selection")
    assert table["variant"].tolist() == ["mine", "mine", "sft", "sft"]
    variants = selection.chosen(profile, table)
    assert variants["sft"].keys() == {"all", "micro_gsm8k"} and variants["sft"]["all"] == {"epochs": 7}
    assert type(variants["sft"]["micro_gsm8k"]["epochs"]) is int
    assert variants["mine"]["method"] == "cross-entropy" and variants["mine"]["all"] == {"epochs": 3}
    made = [read_record(path) for path in (tmp_path / "selection").glob("*.json")]
    assert sorted((r["method"], r["configuration"]["epochs"]) for r in made) == [
        ("cross-entropy", 3), ("cross-entropy", 3), ("sft", 1), ("sft", 2),
    ]  # fmt: skip
    again = load_profile(two_rows, variants=variants)
    assert selection.select(again, tmp_path / "selection", names=["mine"])["variant"].tolist() == ["mine", "mine"]
    assert len(list((tmp_path / "selection").glob("*.json"))) == 4


def test_a_choice_is_on_top_of_what_the_variant_says(two_rows):
    content = yaml.safe_load(two_rows.read_text())
    mine = {"tasks": ["micro_gsm8k"], "micro_gsm8k": {"rank": 2, "learning_rate": 1.0}}
    content["variants"]["mine"] |= mine
    two_rows.write_text(yaml.safe_dump(content))
    line = {"task": "micro_gsm8k", "variant": "mine", "point": 1, "best": True}
    found = selection.chosen(load_profile(two_rows), pd.DataFrame([line]))
    chosen = {"rank": 2, "learning_rate": 1e-2}
    expected = {"method": "cross-entropy", "all": {"epochs": 3}, "tasks": ["micro_gsm8k"], "micro_gsm8k": chosen}
    assert found == {"mine": expected}


def test_what_cannot_be_tuned_alike_is_refused_before_anything_runs(two_rows, monkeypatch):
    monkeypatch.setattr(selection, "_run", lambda *_: pytest.fail("a point ran"))
    with pytest.raises(ValueError, match="no grid for ridge"):
        selection.select(load_profile(two_rows), names=["ridge"])
    content = yaml.safe_load(two_rows.read_text())
    for grids, message in [
        ({"sft": {"epochs": [1, 2]}, "mine": {"learning_rate": [1e-3]}}, "same number of points"),
        ({"sft": {"epochs": [1, 2]}, "mine": {"learning_rte": [1, 2]}}, "learning_rte"),
    ]:
        two_rows.write_text(yaml.safe_dump({**content, "selection": grids}))
        with pytest.raises(ValueError, match=message):
            selection.select(load_profile(two_rows))


def test_among_scores_within_one_standard_error_of_the_highest_the_lowest_nll_is_best():
    """58% of 200 items has a standard error of 3.49 points."""
    lines = [(58.0, 3.0), (55.0, 2.0), (54.5, 1.0), (30.0, 0.5)]
    table = pd.DataFrame(lines, columns=["value", "response_nll"]).assign(task="a", variant="b", n=200)
    other = table.assign(variant="c", response_nll=[2.0, 3.0, 1.0, 1.0], value=[58.0, 58.0, 54.0, 30.0])
    best = selection.with_best(pd.concat([table, other], ignore_index=True))["best"]
    assert best.tolist() == [False, True, False, False, True, False, False, False]
    certain = table.assign(value=[100.0, 99.5, 0.0, 0.0])
    assert selection.with_best(certain)["best"].tolist() == [True, False, False, False]


def test_a_table_without_finished_grids_has_no_best_point(choosing, tmp_path):
    assert selection.finished(choosing, tmp_path)["best"].tolist() == []
