"""Each condition against the matrix that it should be, and the files."""

import json

import pandas as pd
import pytest
import torch

from semalign.analysis.cka import CKAOptions, cka_matrix
from semalign.analysis.cka_figure import measure_conditions, untrained, write_cka
from semalign.analysis.cka_summary import summarise
from semalign.analysis.paired_states import StateOptions
from semalign.bases.basis import SemanticBasis
from semalign.models.loading import LanguageModel
from semalign.models.students import drop_layers
from semalign.results.records import read_record
from semalign.targets.alignment import alignment_map

SMALL = {"seed": 1, "block": 30, "batch_size": 2}
TEXTS = ["what is 1+2?", "a", "the cat, the dog.\n", "0123456789 and so on", "banana bread", "x = y*z\n"]


@pytest.fixture
def prompts(tmp_path):
    path = tmp_path / "prompts.jsonl"
    path.write_text("".join(json.dumps({"prompt": text}) + "\n" for text in TEXTS))
    return path


def _matrix(table, condition, states, kernel):
    part = table.query("condition == @condition and states == @states and kernel == @kernel")
    grid = part.pivot(index="teacher_layer", columns="student_layer", values="cka")
    assert grid.index.tolist() == [1, 2, 3, 4, 5]
    return torch.tensor(grid.to_numpy(copy=True))


@pytest.mark.slow
def test_each_condition_is_the_matrix_that_it_names(teacher, student):
    transferred, options = LanguageModel(untrained(student, 7).model, student.tokenizer), StateOptions(**SMALL)
    table = measure_conditions(teacher, student, TEXTS, options, transferred=transferred)
    bases = SemanticBasis.from_model(teacher), SemanticBasis.from_model(student)
    pairs = {
        "before": (teacher, student, None),
        "after": (teacher, student, alignment_map(*bases)),
        "permuted": (teacher, student, alignment_map(bases[0], bases[1].permuted(1))),
        "transferred": (teacher, transferred, None),
        "untrained": (untrained(teacher, 1), untrained(student, 2), None),
    }
    assert table["condition"].unique().tolist() == list(pairs)
    assert len(table) == 5 * 2 * 2 * (5 * 4)
    for condition, (first, second, alignment) in pairs.items():
        states, kernel = ("raw", "rbf") if condition == "after" else ("unit", "linear")
        options = CKAOptions(kernel=kernel, unit=states == "unit", **SMALL)
        expected = cka_matrix(first, second, TEXTS, options, alignment=alignment)
        torch.testing.assert_close(_matrix(table, condition, states, kernel), expected)


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
def test_the_summary_finds_a_shortened_copy(teacher):
    """A copy without layer 3 keeps the teacher's first two layers: CKA there is 1, on the diagonal."""
    table = measure_conditions(teacher, drop_layers(teacher), TEXTS)
    summary = summarise(table).set_index(["condition", "states", "kernel"])
    for states in ("raw", "unit"):
        before = _matrix(table, "before", states, "linear")
        torch.testing.assert_close(before[:2, :2].diagonal(), torch.ones(2, dtype=torch.float64))
        assert summary.loc[("before", states, "linear"), "diagonal_share"] == 1
        assert summary.loc[("before", states, "linear"), "correlation"] == pytest.approx(1)
        assert summary.loc[("before", states, "linear"), "mean_difference"] == 0
        assert summary.loc[("untrained", states, "linear"), "correlation"] < 1
    assert set(summary.index.get_level_values("condition")) == {"before", "after", "permuted", "untrained"}


def test_table_and_record_are_written(teacher, student, prompts, tmp_path):
    out = tmp_path / "fig4-tiny.v1"
    write_cka(teacher, student, prompts, out, StateOptions(block=40), limit=5)
    table, record = pd.read_csv(tmp_path / "fig4-tiny.v1.csv"), read_record(tmp_path / "fig4-tiny.v1.json")
    summary = summarise(table)
    assert record["value"] == pytest.approx(summary.loc[0, "diagonal_share"])
    assert summary.loc[0, ["condition", "states", "kernel"]].tolist() == ["before", "raw", "linear"]
    assert len(record["details"]["summary"]) == len(summary) == 4 * 2 * 2
    assert record["configuration"]["prompts"] == 5
    assert 30 < record["n"] == table["rows"].max()
    assert record["fingerprints"]["transferred"] is None
    assert record["fingerprints"]["teacher"] != record["fingerprints"]["student"]
