"""A sweep on tiny models: every point trained once and measured on held-out rows, without a score."""

import pytest
import yaml
from helpers.profiles import FAST

from semalign.experiments import sweep
from semalign.experiments.inputs import held_out_rows, source_once, training_rows
from semalign.experiments.profile_parts import Variant
from semalign.experiments.profiles import load_profile
from semalign.methods.runner import run_method
from semalign.models.finite import NotFiniteError
from semalign.results.records import read_record

GRID = {"layer-cosine": {"map": ["semantic", "permuted"], "interface": ["residual"], "student_layer": [2, 4]}}


@pytest.fixture
def swept(profile, tmp_path):
    path = tmp_path / "tiny.yaml"
    content = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({**content, "transfer": FAST, "selection": GRID}))
    (tmp_path / "roots" / "semalign" / "micro-gsm8k" / "test.jsonl").unlink()  # whoever reads it fails
    return load_profile(path)


def test_a_profile_without_grids_is_refused(profile, tmp_path):
    with pytest.raises(ValueError, match="profile tiny has no grid"):
        sweep.run(profile, tmp_path / "sweep")


def test_a_point_that_its_method_refuses_is_told_before_anything_runs(swept, tmp_path, monkeypatch):
    monkeypatch.setattr(sweep, "_record", lambda *_: pytest.fail("a point ran"))
    grid = {"layer-cosine": {**GRID["layer-cosine"], "map": ["semantic", "semantics"]}}
    with pytest.raises(ValueError, match="selection of layer-cosine: map: no map 'semantics'"):
        sweep.run(swept.model_copy(update={"selection": grid}), tmp_path / "sweep")


def test_a_point_that_fails_stops_no_other(swept, tmp_path, monkeypatch):
    tried = []

    def fail(profile, point, folder):
        tried.append(point.settings["student_layer"])
        raise NotFiniteError("the loss is NaN")

    monkeypatch.setattr(sweep, "_record", fail)
    with pytest.raises(ValueError, match=r"4 points without a record; micro_gsm8k--layer-cosine--.*: the loss is NaN"):
        sweep.run(swept, tmp_path / "sweep")
    assert tried == [2, 4, 2, 4]


def test_a_record_that_two_entries_share_is_counted_once(swept, tmp_path, monkeypatch):
    variants = {"mine": Variant(method="layer-cosine", tasks=None)}
    both = swept.model_copy(update={"selection": {**GRID, "mine": GRID["layer-cosine"]}, "variants": variants})
    monkeypatch.setattr(sweep, "reasons", lambda *_: lambda point: None)
    assert len(sweep.current(both, tmp_path)) == 4


@pytest.mark.slow
def test_each_point_is_a_training_measured_on_held_out_rows(swept, tmp_path, monkeypatch):
    folder = tmp_path / "sweep"
    found = sweep.run(swept, folder)
    assert found[["map", "interface", "student_layer"]].values.tolist() == [
        [name, "residual", k] for name in ("semantic", "permuted") for k in (2, 4)
    ]
    record = read_record(next(folder.glob("*semantic*student_layer=2*")))
    settings = {**FAST, "epochs": 1, "seed": 0, "map": "semantic", "interface": "residual", "student_layer": 2}
    models = source_once(swept.teacher), source_once(swept.student)
    rows, validation = training_rows(swept, "micro_gsm8k"), held_out_rows(swept, "micro_gsm8k")[0]
    plain = run_method("layer-cosine", *models, rows, validation=validation, **settings).record
    assert record["losses"] == plain["losses"] and record["metric"] == "response_nll"
    own, expected = record["details"]["held_out"], plain["details"]["held_out"]
    assert own == {**expected, "split": "validation"}
    line = found[(found["map"] == "semantic") & (found["student_layer"] == 2)].iloc[0]
    assert line[["nll_before", "nll_after", "steps"]].tolist() == [
        own["before"],
        own["after"],
        record["details"]["steps"],
    ]
    monkeypatch.setattr(sweep, "measured_transfer", lambda *_, **__: pytest.fail("it ran again"))
    assert sweep.run(swept, folder).equals(found) and len(sweep.current(swept, folder)) == 4
    longer = load_profile(tmp_path / "tiny.yaml", held_out=2)
    point = sweep.points(longer)[0]
    reason = sweep.reasons(longer, folder)(point)
    assert sweep.current(longer, folder) == [] and reason == "stale: other held_out"


@pytest.mark.slow
def test_one_point_can_be_made_alone(swept, tmp_path):
    name = sweep.points(swept)[1].file_name.removesuffix(".json")
    assert len(sweep.run(swept, tmp_path / "sweep", [name])) == 1


def test_the_packaged_sweeps_go_through_every_layer_of_both_students():
    for name, student in (("micro-depth", "micro-student"), ("micro-sibling-depth", "micro-sibling")):
        profile = load_profile(name)
        found = sweep.points(profile)
        assert profile.student == student and len(found) == 2 * 5 * 2 * 8
        assert {point.settings["student_layer"] for point in found} == set(range(1, 9))
