"""What moves and what is computed, against the arithmetic of Appendix D.1."""

from types import SimpleNamespace

import pytest

from semalign.book.tables import medium
from semalign.book.tables.medium import measured_table, medium_table, share_of_alignment, share_of_teacher
from semalign.experiments.profiles import load_profile
from semalign.files import write_json
from semalign.planning.lengths import Known
from semalign.planning.shapes import shapes_of
from semalign.planning.texts import ProfileTexts, Texts


def test_targets_logits_and_a_layer_are_counted_in_the_type_of_the_weights():
    profile = load_profile("llama2")
    table = medium_table(profile).set_index("data")
    positions = ProfileTexts(profile).training("gsm8k").positions
    line = table.loc["GSM8K"]
    assert line["targets, MB"] == pytest.approx(positions * 4096 * 2 / 1e6)
    assert line["logits, MB"] == pytest.approx(positions * 32000 * 2 / 1e6)
    assert line["one layer, MB"] == pytest.approx(shapes_of(profile.student).layer_parameters * 2 / 1e6)
    assert line["targets, GFLOP"] == pytest.approx(2 * 5120 * 4096 * positions / 1e9)
    assert (table["teacher's pass, GFLOP"] > 100 * table["targets, GFLOP"]).all()
    share = share_of_alignment(table.reset_index())
    alignment = line["bases and map, GFLOP"] + line["targets, GFLOP"]
    work = alignment + line["teacher's pass, GFLOP"] + line["training, GFLOP"]
    assert share["GSM8K"] == pytest.approx(100 * alignment / work)
    own = share_of_teacher(table.reset_index())
    assert own["GSM8K"] == pytest.approx(100 * line["teacher's pass, GFLOP"] / work)


def test_each_task_says_how_the_lengths_of_its_texts_are_known(monkeypatch):
    lengths = {"micro_mmlu": Known.ASSUMED, "micro_gsm8k": Known.ESTIMATED}
    texts = {task: Texts.of([(3, 2)] * 4, lengths.get(task, Known.COUNTED)) for task in load_profile("micro").tasks}
    monkeypatch.setattr(medium, "ProfileTexts", lambda profile: SimpleNamespace(training=texts.__getitem__))
    assert medium_table(load_profile("micro"))["lengths"].tolist() == ["assumed", "estimated", "counted", "counted"]


def test_measured_sizes_stand_beside_those_by_arithmetic(tmp_path):
    lines = [
        {"model": "micro-student", "what": "targets, bytes", "planned": 8, "measured": 9},
        {"model": "other", "what": "one layer, bytes", "planned": 1, "measured": 1},
    ]
    write_json(tmp_path / "plan.json", {"moved": lines})
    assert measured_table(tmp_path / "plan.json").to_numpy().tolist() == [
        ["micro-teacher and micro-student", "targets, bytes", 8, 9],
        ["other", "one layer, bytes", 1, 1],
    ]
