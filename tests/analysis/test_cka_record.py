"""The pictures against the matrix that each should be, and the files."""

import json

import pandas as pd
import pytest
import torch

from semalign.analysis.cka import cka_matrix
from semalign.analysis.cka_reading import read_pictures
from semalign.analysis.cka_record import cka_pictures, untrained, write_cka
from semalign.bases.basis import SemanticBasis
from semalign.models.loading import LanguageModel
from semalign.models.students import drop_layers
from semalign.results.records import read_record
from semalign.targets.alignment import alignment_map

TEXTS = ["what is 1+2?", "a", "the cat, the dog.\n", "0123456789 and so on", "banana bread", "x = y*z\n"]


@pytest.fixture
def prompts(tmp_path):
    path = tmp_path / "prompts.jsonl"
    path.write_text("".join(json.dumps({"prompt": text}) + "\n" for text in TEXTS))
    return path


def _matrix(table, picture, states, kernel):
    part = table.query("picture == @picture and states == @states and kernel == @kernel")
    grid = part.pivot(index="teacher_layer", columns="student_layer", values="cka")
    assert grid.index.tolist() == [1, 2, 3, 4, 5]
    return torch.tensor(grid.to_numpy(copy=True))


@pytest.mark.slow
def test_each_picture_is_the_matrix_it_says(teacher, student):
    transferred = LanguageModel(untrained(student, 7).model, student.tokenizer)
    table = cka_pictures(teacher, student, TEXTS, transferred=transferred, seed=1, block=30, batch_size=2)
    bases = SemanticBasis.from_model(teacher), SemanticBasis.from_model(student)
    pairs = {
        "before": (teacher, student, None),
        "after": (teacher, student, alignment_map(*bases)),
        "permuted": (teacher, student, alignment_map(bases[0], bases[1].permuted(1))),
        "transferred": (teacher, transferred, None),
        "untrained": (untrained(teacher, 1), untrained(student, 2), None),
    }
    assert table["picture"].unique().tolist() == list(pairs)
    assert len(table) == 5 * 2 * 2 * (5 * 4)
    for picture, (first, second, alignment) in pairs.items():
        states, kernel = ("raw", "rbf") if picture == "after" else ("unit", "linear")
        options = {"kernel": kernel, "unit": states == "unit", "alignment": alignment}
        expected = cka_matrix(first, second, TEXTS, seed=1, block=30, batch_size=2, **options)
        torch.testing.assert_close(_matrix(table, picture, states, kernel), expected)


def test_untrained_models_are_new_and_independent(teacher):
    state = torch.random.get_rng_state()
    first, second, again = (untrained(teacher, seed).model.state_dict() for seed in (0, 1, 0))
    assert torch.equal(torch.random.get_rng_state(), state)
    name = "model.layers.0.mlp.up_proj.weight"
    assert torch.equal(first[name], again[name])
    for other in (second[name], teacher.model.state_dict()[name]):
        assert abs(torch.corrcoef(torch.stack([first[name].flatten(), other.flatten()]))[0, 1]) < 0.2
    assert first[name].dtype == torch.float64


@pytest.mark.slow
def test_readings_find_a_shortened_copy(teacher):
    """A copy without layer 3 keeps the teacher's first two layers: CKA there is 1, on the diagonal."""
    table = cka_pictures(teacher, drop_layers(teacher), TEXTS)
    readings = read_pictures(table).set_index(["picture", "states", "kernel"])
    for states in ("raw", "unit"):
        before = _matrix(table, "before", states, "linear")
        torch.testing.assert_close(before[:2, :2].diagonal(), torch.ones(2, dtype=torch.float64))
        assert readings.loc[("before", states, "linear"), "diagonal_share"] == 1
        assert readings.loc[("before", states, "linear"), "correlation"] == pytest.approx(1)
        assert readings.loc[("before", states, "linear"), "mean_difference"] == 0
        assert readings.loc[("untrained", states, "linear"), "correlation"] < 1
    assert set(readings.index.get_level_values("picture")) == {"before", "after", "permuted", "untrained"}


def test_table_and_record_are_written(teacher, student, prompts, tmp_path):
    out = tmp_path / "fig4-tiny.v1"
    write_cka(teacher, student, prompts, out, limit=5, block=40)
    table, record = pd.read_csv(tmp_path / "fig4-tiny.v1.csv"), read_record(tmp_path / "fig4-tiny.v1.json")
    readings = read_pictures(table)
    assert record["value"] == pytest.approx(readings.loc[0, "diagonal_share"])
    assert readings.loc[0, ["picture", "states", "kernel"]].tolist() == ["before", "raw", "linear"]
    assert len(record["details"]["readings"]) == len(readings) == 4 * 2 * 2
    assert record["configuration"]["prompts"] == 5
    assert 30 < record["n"] == table["rows"].max()
    assert record["fingerprints"]["transferred"] is None
    assert record["fingerprints"]["teacher"] != record["fingerprints"]["student"]
