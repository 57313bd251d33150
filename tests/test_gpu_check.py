"""The check for a GPU: it runs on a CPU at tiny shapes, and what contradicts the plan ends it with an error."""

import sys

import pytest
import torch
from helpers.models import head

from semalign.paths import project_root
from semalign.results.records import read_record

sys.path.insert(0, str(project_root() / "benchmarks"))

import gpu_check
import gpu_measures
from gpu_models import SHAPES, Measured, examples
from gpu_plan import Planned, planned

PHASES = ["basis", "attribution", "teacher states", "basis", "map", "generation", "student prefix", "training"]
CPU = torch.device("cpu")


@pytest.mark.slow
def test_all_phases_run_on_a_cpu_and_give_a_record(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("sys.argv", ["gpu_check.py", "--shapes", "tiny", "--out", str(tmp_path)])
    gpu_check.main()
    assert "everything is as planned" in capsys.readouterr().out
    (path,) = tmp_path.iterdir()
    record = read_record(path)
    assert path.name == "tiny--cpu.json" and record["value"] == 0
    for phases in record["details"]["phases"].values():
        assert [phase["phase"] for phase in phases] == PHASES
        assert all(phase["seconds"] > 0 and phase["peak"] is None for phase in phases)
    assert {line["dtype"] for line in record["details"]["half_precision"]} == {"bfloat16", "float16"}


@pytest.mark.slow
def test_a_check_that_fails_is_named_and_the_record_is_written(monkeypatch, tmp_path):
    monkeypatch.setattr(gpu_check, "BASIS_ERROR", 1e-12)
    monkeypatch.setattr("sys.argv", ["gpu_check.py", "--shapes", "tiny", "--out", str(tmp_path)])
    with pytest.raises(SystemExit) as stopped:
        gpu_check.main()
    lines = str(stopped.value).splitlines()
    assert lines[0] == "not as planned:"
    assert [line.split(": ")[0] for line in lines[1:]] == ["bfloat16, basis (teacher)", "bfloat16, basis (student)"]
    assert read_record(tmp_path / "tiny--cpu.json")["value"] == 2


@pytest.mark.parametrize(
    ("measured", "expected", "message"),
    [
        (Measured("training", "student", 1.0, 130, 10), Planned(100, 1.0), "peak memory 0.00 GB, planned 0.00 GB"),
        (Measured("training", "student", 1.0, 70, 10), Planned(100, 1.0), "peak memory"),
        (Measured("training", "student", 1.0, 110, 10), Planned(100, 1.0), None),
        (Measured("training", "student", 1.0, None, 10), Planned(100, 1.0), None),
        (Measured("map", "student", 1.0, 130), None, None),
        (Measured("training", "student", details={"finite": False}), None, "a number is not finite"),
        (Measured("basis", "teacher", 11.0), None, "11.0 s, the paper says 10 s"),
        (Measured("basis", "teacher", 9.0, details={"error": 1e-3}), None, "relative error 1.0e-03, above 1e-05"),
    ],
)
def test_what_contradicts_the_plan_is_a_problem(measured, expected, message):
    found = gpu_check.problems([measured], [expected], full=True)
    if message is None:
        assert found == []
    else:
        assert len(found) == 1 and found[0].startswith(f"{measured.phase} ({measured.model}): {message}")


def test_the_exact_rows_of_a_basis_are_those_of_the_pseudoinverse():
    weight = head(40, 6)
    torch.testing.assert_close(gpu_measures.exact_rows(weight), torch.linalg.pinv(weight).T, rtol=1e-9, atol=1e-12)
    assert gpu_measures.relative(2 * weight[:3], weight[:3]) == pytest.approx(1)


def test_rows_are_as_long_as_the_plan_says_and_end():
    (row, *_) = rows = examples(SHAPES["llama2"].texts, 32000)
    assert len(rows) == 64 and len(row) == 241 and len(row.positions()) == 141 and row.input_ids[-1] == 0


def test_the_plan_at_the_shapes_of_llama_2_fits_on_one_gpu_one_model_at_a_time():
    # Bytes of the weights in half precision: 13.02 and 6.74 billion; for training, layers 16 to 32 of the student.
    weights = {"attribution": 26.03e9, "teacher states": 26.03e9, "generation": 13.48e9, "training": 7.4e9}
    for phase, size in weights.items():
        found = planned(Measured(phase, "", details={"layer": 16}), SHAPES["llama2"], torch.float16)
        assert size < found.memory < 80e9
    assert planned(Measured("map", "student"), SHAPES["llama2"], torch.float16) is None
