"""Alignment against gain, on records made by hand."""

import pandas as pd
import pytest
from helpers.losses import write_losses

from semalign.book.tables.prediction import COLUMNS, LEAST, measured, measured_runs, prediction_table
from semalign.files import write_json
from semalign.results.records import read_record


def test_a_run_gives_the_cosine_its_change_and_the_relative_fall(tmp_path):
    path = write_losses(tmp_path, "ours", 0, [1.5], before=2.0, cosines=(0.1, 0.4))
    assert measured(read_record(path)) == pytest.approx((0.1, 0.3, 0.25))
    assert measured(read_record(write_losses(tmp_path, "other", 0, [1.5]))) is None
    old = {"before": {"layer_cosine": 0.5, "response_nll": 1.0}, "after": {"layer_cosine": 0.25, "response_nll": 3.0}}
    assert measured({"details": old}) == (0.5, -0.25, -2.0)


def test_seeds_of_a_setting_are_one_line_and_runs_without_a_layer_term_none(tmp_path):
    made = {"map": "semantic", "layer_weight": 1.0}
    paths = [
        write_losses(tmp_path, "a", 0, [1.0], cosines=(0.1, 0.2), **made),
        write_losses(tmp_path, "a", 1, [2.0], cosines=(0.1, 0.4), **made),
        write_losses(tmp_path, "b", 0, [1.0], cosines=(0.1, 0.2), **{**made, "map": "random"}),
        write_losses(tmp_path, "c", 0, [1.0], cosines=(0.1, 0.2), **{**made, "layer_weight": 0.0}),
        write_losses(tmp_path, "d", 0, [1.0], **made),
    ]
    runs = measured_runs(paths)
    assert runs["map"].tolist() == ["semantic", "random"]
    assert runs[["before", "change", "gain"]].to_numpy()[0].tolist() == pytest.approx([0.1, 0.2, 0.25])


def test_runs_of_other_teachers_or_rows_are_lines_of_their_own(tmp_path):
    made = {"map": "semantic", "layer_weight": 1.0, "cosines": (0.1, 0.2)}
    path = write_losses(tmp_path, "a", 0, [1.0], **made)
    for name, change in {"teacher": {"teacher": "coder"}, "rows": {"fingerprints": {"data": "other"}}}.items():
        write_json(tmp_path / f"{name}.json", {**read_record(path), **change})
    assert len(measured_runs([path, tmp_path / "teacher.json", tmp_path / "rows.json"])) == 3


def test_the_correlation_is_of_ranks_and_needs_enough_cosines(tmp_path):
    paths = []
    for i in range(LEAST):
        cosine, settings = i / 20, {"map": "ridge", "layer_weight": i + 1.0}
        rows, cosines = [1 - cosine**3], (cosine, cosine)
        paths.append(write_losses(tmp_path, f"m{i}", 0, rows, before=1.0, cosines=cosines, **settings))
    table = prediction_table(measured_runs(paths)).set_index(["maps", "student", "data"])
    found = table.loc["every map", "all", "GSM8K"]
    assert found["settings"] == str(LEAST) and found["cosine before"].value == pytest.approx(1.0)
    assert found["change of the cosine"] == "not run"  # all zero
    assert table.loc["the paper's map", "all", "all"]["cosine before"] == "not run"


def test_each_student_stands_alone_with_the_papers_map(tmp_path):
    """Two students whose gains fall with the cosine give a correlation above zero together."""
    lines = [
        [student, "micro_mmlu", "semantic", f"{student}{i}", level + i / 100, 0.0, level - i / 100]
        for student, level in (("near", 0.8), ("far", 0.2))
        for i in range(LEAST)
    ]
    table = prediction_table(pd.DataFrame(lines, columns=COLUMNS)).set_index(["maps", "student", "data"])
    found = table["cosine before"].xs(("the paper's map", "MMLU"), level=["maps", "data"])
    assert {student: round(cell.value, 2) for student, cell in found.items()} == {"all": 0.5, "far": -1, "near": -1}
