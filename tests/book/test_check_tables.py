"""Tables of checks: numbers of the records, and "not run" without one."""

import pytest

from semalign.book.check_tables import gpu_check, half_precision, paper_table
from semalign.files import write_json
from semalign.results.records import make_record, write_record

PHASE = {
    "phase": "training", "model": "student", "seconds": 2.0, "peak": 15_000_000_000, "tokens": 5000,
    "planned": {"memory": 14_000_000_000, "seconds": 1.0}, "details": {},
}  # fmt: skip
LINE = {
    "dtype": "bfloat16", "term": "kl", "loss": 1.5, "difference": 6.6e-3, "library_difference": 2e-6,
    "gradient": 0.0412, "passes": 0.041, "library": 0.0017,
}  # fmt: skip


@pytest.fixture
def results(monkeypatch, tmp_path):
    monkeypatch.setenv("SEMALIGN_ROOT", str(tmp_path))
    return tmp_path / "data" / "results"


def test_tables_of_the_paper_have_its_layout_and_a_heading():
    models, alignment, training = (paper_table(number).splitlines() for number in (3, 4, 5))
    assert models[0] == ":::{table} Table 3 of the paper: its Llama 2 models."
    assert models[3:6] == [
        "| quantity | Llama2 7B | Llama2 13B | CodeLlama 13B | WizardCoder 13B |",
        "| :-- | --: | --: | --: | --: |",
        "| attention heads | 32 | 40 | 40 | 40 |",
    ]
    assert alignment[1] == ":name: tab-paper-4" and alignment[6] == "| align size | 32 | 64 | 48 | 128 |"
    assert training[3] == "| quantity | MMLU | GSM8K | HumanEval | MBPP |"
    assert training[7] == "| learning rate | 3e-4 | 3e-4 | 3e-5 | 3e-4 |"


def test_without_a_record_a_table_is_not_run(results):
    assert gpu_check().startswith("**not run**") and "benchmarks/gpu_check.py" in gpu_check()
    assert half_precision().startswith("**not run**")


@pytest.mark.parametrize("problems", [[], ["bfloat16, training (student): peak memory"]])
def test_the_record_of_a_gpu_is_a_table_with_its_verdict(results, problems):
    nothing = {**PHASE, "phase": "basis", "peak": None, "tokens": None, "planned": None}
    details = {"phases": {"bfloat16": [PHASE, nothing]}, "half_precision": [], "problems": problems}
    keys = ("teacher", "student", "data")
    record = make_record(
        method="gpu_check", teacher=None, student="random", task="random tokens", seed=0, metric="problems",
        value=0.0, n=1, configuration={}, fingerprints=dict.fromkeys(keys), seconds=1.0, details=details,
    )  # fmt: skip
    write_record(results / "gpu-check" / "llama2--H100.json", {**record, "device": "NVIDIA H100"})
    text = gpu_check()
    assert "| bfloat16 | training | student | 2.00 | 2500 | 15.00 | 14.00 |" in text
    assert "| bfloat16 | basis | student | 2.00 | – | – | – |" in text
    assert "on NVIDIA H100" in text and ("everything is as planned" if not problems else problems[0]) in text


def test_the_table_of_half_precision_tells_both_parts(results):
    write_json(results / "speed" / "half-precision.json", {"terms": [LINE], "laten": {"bfloat16": 0.012}})
    text = half_precision()
    assert "| bfloat16 | kl | 1.50000 | 6.6e-03 | 2.0e-06 | 4.12% | 4.10% | 0.170% |" in text
    assert "1.20% in bfloat16" in text
