"""Cells of a profile scored by vLLM: by a stand-in for it, and by itself where it is installed."""

import sys
from importlib.util import find_spec
from types import SimpleNamespace

import pytest
from helpers.models import make_llama, make_tokenizer
from helpers.profiles import write_profile
from helpers.vllm import MODULE, StandIn

from semalign.experiments import selection
from semalign.experiments.cells import Cell, cells
from semalign.experiments.currency import missing
from semalign.experiments.inputs import _source, fingerprint_of, source_once
from semalign.experiments.runs import run, run_cell
from semalign.experiments.scored_models import scored_model
from semalign.results.records import read_record

FEW = {"laten": {"all": {"extract_size": 2}}}  # of the six rows
ONE_HEAD = {"num_attention_heads": 1, "num_key_value_heads": 1, "max_position_embeddings": 512}
TINY_FAST = {"enforce_eager": True, "max_model_len": 512}


@pytest.fixture
def stand_in(monkeypatch):
    monkeypatch.setitem(sys.modules, MODULE, SimpleNamespace(VLLM=StandIn))
    StandIn.made.clear()
    return StandIn


@pytest.fixture
def by_vllm(profile, tmp_path):
    evaluation = {"limit": 4, "batch_size": 4, "engine": "vllm", "vllm": {"tensor_parallel_size": 2}}
    return write_profile(tmp_path, evaluation=evaluation, teachers={}, seeds=[0], variants=FEW, tasks=TASKS)


TASKS = {"micro_gsm8k": {"epochs": 1, "train_size": 6, "align_size": 4, "align_steps": 1}}


@pytest.mark.slow
def test_vllm_reads_the_student_and_the_folder_of_the_transfer(by_vllm, profile, tmp_path, stand_in):
    run(by_vllm, tmp_path / "results")
    kinds = {call["pretrained"].rpartition("/")[2]: bool(call["lora_local_path"]) for call in stand_in.made[:2]}
    assert kinds == {"student": False, "teacher": False}
    (transfer,) = [call for call in stand_in.made if call["lora_local_path"]]
    assert (transfer["pretrained"], transfer["max_lora_rank"]) == (by_vllm.student, 8)
    assert all(call["tensor_parallel_size"] == 2 for call in stand_in.made)
    for cell in cells(by_vllm):
        record = read_record(tmp_path / "results" / cell.file_name)
        assert record["configuration"]["engine"] == "vllm"
        own_type = {"dtype": "float32"} if cell.method == "laten" else {}  # of the model that it changed
        assert record["configuration"]["vllm"]["options"] == {"tensor_parallel_size": 2, **own_type}
        assert record["fingerprints"]["student"] == fingerprint_of(cell.student)
    assert missing(by_vllm, tmp_path / "results") == {}


@pytest.mark.slow
def test_a_record_of_the_other_engine_is_current(by_vllm, profile, tmp_path, stand_in):
    run(by_vllm, tmp_path / "results")
    other = write_profile(tmp_path, teachers={}, seeds=[0], variants=FEW, tasks=TASKS)
    assert other.evaluation.engine == "transformers" and missing(other, tmp_path / "results") == {}


@pytest.mark.slow
def test_a_method_that_changes_weights_hands_over_its_model(by_vllm, stand_in):
    (cell,) = [cell for cell in cells(by_vllm, ["laten"]) if cell.teacher]
    assert run_cell(by_vllm, cell)["configuration"]["engine"] == "vllm"
    (made,) = stand_in.made
    assert made["lora_local_path"] is None and made["pretrained"] != by_vllm.student


@pytest.mark.slow
def test_a_changed_model_is_scored_in_its_own_type(by_vllm, stand_in, monkeypatch):
    monkeypatch.setenv("SEMALIGN_DTYPE", "bfloat16")
    (cell,) = [cell for cell in cells(by_vllm, ["laten"]) if cell.teacher]
    run_cell(by_vllm, cell)
    assert [call["dtype"] for call in stand_in.made] == ["float32"]


@pytest.mark.slow
def test_a_point_of_a_grid_is_scored_by_the_engine_of_its_profile(by_vllm, tmp_path, stand_in):
    chosen = by_vllm.model_copy(update={"selection": {"semalign": {"learning_rate": [1e-3]}}})
    selection.select(chosen, tmp_path / "selection")
    (path,) = (tmp_path / "selection").glob("*.json")
    assert read_record(path)["configuration"]["engine"] == "vllm"
    assert stand_in.made[-1]["lora_local_path"]


def test_models_in_memory_are_let_go_before_vllm_takes_the_memory(by_vllm, student):
    source_once(by_vllm.student)
    scored_model(by_vllm, by_vllm.student)
    assert _source.cache_info().currsize == 0


def test_an_engine_that_is_not_installed_is_told_before_any_cell(by_vllm, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, MODULE, None)
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(ModuleNotFoundError):
        run(by_vllm, tmp_path / "results")
    assert not list((tmp_path / "results").glob("*.json"))


@pytest.mark.slow
@pytest.mark.skipif(find_spec("vllm") is None, reason="vLLM is not installed here: make test-vllm")
def test_a_cell_by_vllm_itself_scores_as_by_transformers(profile, tmp_path, monkeypatch):
    """Heads of 64 numbers, which vLLM's attention on CPUs takes; the adapter is one that training made."""
    for name, value in {"ENABLE_V1_MULTIPROCESSING": 0, "CPU_KVCACHE_SPACE": 1, "NO_USAGE_STATS": 1}.items():
        monkeypatch.setenv(f"VLLM_{name}", str(value))
    tokenizer = make_tokenizer()
    for seed, name in enumerate(("teacher", "student")):
        model = make_llama(len(tokenizer), 64, 3, seed, **ONE_HEAD).float()
        model.save_pretrained(tmp_path / name)
    same = {"teachers": {}, "seeds": [0], "variants": {}}
    tasks = {"micro_gsm8k": {"epochs": 2, "train_size": 6, "learning_rate": 0.01}}
    values = []
    for engine in ("transformers", "vllm"):
        vllm = TINY_FAST if engine == "vllm" else {}
        evaluation = {"limit": 8, "batch_size": 8, "engine": engine, "vllm": vllm}
        changed = write_profile(tmp_path, **same, tasks=tasks, evaluation=evaluation)
        cell = Cell("semalign", changed.teacher, changed.student, "micro_gsm8k", 0)
        record = run_cell(changed, cell, tmp_path / engine / cell.file_name)
        assert record["configuration"]["engine"] == engine
        values.append((record["details"]["correct"], record["fingerprints"], record["losses"]))
    assert values[0] == values[1]
