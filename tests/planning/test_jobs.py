"""The jobs of a profile are those of its comparison, its selection, the analyses and the notebooks."""

from pathlib import Path

import pytest
from helpers.profiles import write_profile

from semalign.experiments.cells import cells
from semalign.experiments.grids import points
from semalign.experiments.profiles import load_profile
from semalign.methods.registry import METHODS, Method
from semalign.planning import MACHINES, Options, plan
from semalign.planning.jobs import with_left_out
from semalign.planning.report import report
from semalign.planning.texts import ProfileTexts
from semalign.settings import MethodSettings

pytestmark = pytest.mark.usefixtures("without_data")

BYTES = 10**9


@pytest.fixture(scope="module")
def llama2():
    return plan(load_profile("llama2"))


def of(jobs, kind):
    return [job for job in jobs if job.kind == kind]


def test_every_cell_is_a_job_with_the_stem_of_its_record(llama2):
    stems = [Path(cell.file_name).stem for cell in cells(load_profile("llama2"))]
    assert [job.name for job in llama2 if job.kind in ("evaluation", "cell")] == stems


@pytest.mark.slow
def test_every_point_of_a_grid_is_a_job(tmp_path):
    grids = {"semalign": {"learning_rate": [1e-3, 1e-2]}, "mine": {"learning_rate": [1e-2, 3e-2]}}
    models = {"teacher": "micro-teacher", "student": "micro-student", "teachers": {}}
    profile = write_profile(tmp_path, **models, selection=grids, variants={"mine": {"all": {}}})
    stems = list(dict.fromkeys(Path(point.file_name).stem for point in points(profile)))
    assert len(stems) == 3  # a point of both is one record
    assert [job.name for job in of(plan(profile, []), "selection")] == stems


def test_analyses_and_notebooks_are_jobs(llama2):
    assert [job.name.split("--")[0] for job in of(llama2, "decomposition") + of(llama2, "cka")] == [
        "decomposition"
    ] * 2 + ["cka"]
    notebooks = {job.name: job for job in of(llama2, "notebook")}
    assert "notebook--03_attribution" in notebooks
    # A chapter that trains, by whatever function, holds what a cell holds.
    cell = max(job.host_memory for job in of(llama2, "cell") if job.name.startswith("semalign"))
    for name in ("04_pairing", "06_alignment", "08_evaluation", "14_your_own_pair"):
        assert notebooks[f"notebook--{name}"].host_memory > cell / 2, name
    assert notebooks["notebook--09_controls"].gpu_memory == 0


def test_names_are_different(llama2):
    assert len({job.name for job in llama2}) == len(llama2)


def test_a_semalign_cell_of_llama_2_fits_one_gpu_and_a_baseline_in_float32_barely(llama2):
    found = {job.name.split("--")[0]: job for job in of(llama2, "cell") if "--meta-llama_Llama-2-13b" in job.name}
    assert 26 * BYTES < found["semalign"].gpu_memory < 73 * BYTES and found["semalign"].gpus == 1
    for name in ("seeking", "laten"):
        assert 50 * BYTES < found[name].gpu_memory < 73.6 * BYTES and not found[name].spreads
    assert found["semalign"].largest.name == "generation"
    assert found["semalign"].host_memory == 4 * BYTES + 26_031_728_640


def test_states_of_teacher_and_student_are_on_disk(monkeypatch):
    monkeypatch.setattr("semalign.data.sources.data_roots", list)
    (job,) = [
        each
        for each in plan(load_profile("llama2", seeds=[0]), ["semalign"])
        if each.name.startswith("semalign--meta-llama_Llama-2-13b") and "gsm8k" in each.name
    ]
    rows = 1000 + 200  # of training, and held out
    assert job.disk == 4 * 10**6 + rows * (141 * 5120 * 2 + 241 * 4096 * 2)


def test_half_the_micro_batch_needs_less(llama2):
    less = plan(load_profile("llama2"), ["sft"], options=Options(micro_batch_size=1))
    usual = plan(load_profile("llama2"), ["sft"])
    assert of(less, "cell")[0].gpu_memory < of(usual, "cell")[0].gpu_memory


@pytest.mark.slow
def test_seeds_differ_in_name_only(tmp_path):
    profile = write_profile(tmp_path, teacher="micro-teacher", student="micro-student", teachers={})
    first, second = (job for job in plan(profile, ["semalign"], MACHINES["h100"]) if job.kind == "cell")
    assert first.name != second.name and first.phases is second.phases


def test_settings_that_are_mappings_or_lists_tell_jobs_apart(tmp_path):
    models = {"teacher": "micro-teacher", "student": "micro-student", "teachers": {}, "seeds": [0]}
    mapped = {name: {"all": {"layer_map": {2: 3}, "student_layers": [first]}} for name, first in (("a", 2), ("b", 3))}
    first, second = of(plan(write_profile(tmp_path, **models, variants=mapped), ["a", "b"]), "cell")
    both = {key.model.rpartition("-")[2]: key.place for key in first.states.keys() & second.states.keys()}
    assert first.states and "student" not in both, both


@pytest.fixture
def own_method():
    """A method whose settings are of no kind that a plan knows."""
    own = Method("own", "control", "own", "Own.", MethodSettings, lambda inputs: None, of_task={})
    others = METHODS.owners()
    METHODS.add(own.name, own)
    (owner,) = METHODS.owners() - others
    yield own.name
    METHODS.forget(owner)
    assert own.name not in METHODS


def test_a_method_of_its_own_kind_is_left_out_with_a_warning(tmp_path, own_method, caplog):
    models = {"teacher": "micro-teacher", "student": "micro-student", "teachers": {}}
    profile = write_profile(tmp_path, **models, variants={own_method: {}})
    jobs = plan(profile)
    assert {job.entry for job in of(jobs, "cell")} == {"semalign"} and len(of(jobs, "evaluation")) == 2
    assert [each.message for each in caplog.records] == [
        "left out of the plan (2 jobs): what a method with settings MethodSettings needs is not known: measure a run"
    ]
    found = report(profile, None, MACHINES["a100"], Options())
    assert found.left_out == [each.message for each in caplog.records]
    assert found.left_out[0] in found.text().splitlines() and found.as_json()["left_out"] == found.left_out


def test_of_a_model_that_a_plan_does_not_count_only_what_needs_no_models_is_left(tmp_path):
    gguf = tmp_path / "model.gguf"
    gguf.touch()
    profile = write_profile(tmp_path, teacher=str(gguf), student="micro-student", teachers={})
    jobs, left_out = with_left_out(profile, None, MACHINES["a100"], Options(), ProfileTexts(profile))
    assert {(job.kind, job.student) for job in jobs if job.kind != "notebook"} == {("evaluation", "micro-student")}
    assert "notebook--09_controls" in {job.name for job in jobs} and len(left_out) == 1
    assert "a GGUF file has none" in left_out[0]
    neither = write_profile(tmp_path, teacher=str(gguf), student=str(gguf), teachers={})
    text = report(neither, None, MACHINES["a100"], Options()).text()
    assert "a GGUF file has none" in text and "models in" not in text


def test_an_unknown_entry_is_an_error():
    with pytest.raises(ValueError, match="no method or variant 'semalgin'"):
        plan(load_profile("llama2"), ["semalgin"])


@pytest.mark.slow
def test_what_is_not_scored_is_not_planned_and_a_grid_is_scored_on_few_items(tmp_path):
    models = {"teacher": "micro-teacher", "student": "micro-student", "teachers": {}}
    grids = {"semalign": {"learning_rate": [1e-3]}}
    scored = write_profile(tmp_path, **models, selection=grids)
    unscored = write_profile(tmp_path, **models, selection=grids, scored=False)
    for profile, phases in ((scored, {"generation"}), (unscored, set())):
        (cell, *_), (point,) = of(plan(profile), "cell"), of(plan(profile), "selection")
        assert {phase.name for phase in cell.phases} & {"generation"} == phases
        assert "generation" in [phase.name for phase in point.phases]
