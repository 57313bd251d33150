"""The registry, and every method of it end to end on the shipped pair."""

import pytest

from semalign.data import tasks as benchmarks
from semalign.experiments.inputs import source_once
from semalign.methods.registry import method, methods
from semalign.methods.runner import run_method

NAMES = [
    "semalign", "laten", "seeking",
    "cross-entropy", "frontier", "layer-cosine", "layer-distillation", "least-squares", "logit-kl", "logit-reverse-kl",
    "output-cosine", "permuted-atoms", "procrustes", "random-bases", "ridge", "sft",
]  # fmt: skip
FAST = {
    "epochs": 1,
    "batch_size": 32,
    "rank": 4,
    "attribution_examples": 4,
    "seed_examples": 4,
    "steps": 2,
    "learning_rate": 1e-3,
}


def test_methods_come_in_order():
    assert list(methods()) == NAMES
    assert all(entry.name == name for name, entry in methods().items())


def test_an_unknown_method_lists_the_known():
    with pytest.raises(ValueError, match="no method 'semlign': choose from semalign, laten, seeking, cross-entropy"):
        method("semlign")


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_method_runs_on_the_shipped_pair(name, tmp_path):
    entry = method(name)
    settings = {key: value for key, value in FAST.items() if key in entry.settings.model_fields}
    rows, held_out = benchmarks.rows("micro_gsm8k", "train", 64), benchmarks.rows("micro_gsm8k", "validation", 4)
    teacher, student = source_once("micro-teacher"), source_once("micro-student")
    places = {"output_dir": tmp_path, "validation": held_out, "task": "micro_gsm8k"}
    result = run_method(name, teacher, student, rows, **places, **settings)
    record = result.record
    assert (record["method"], record["task"], record["metric"], record["n"]) == (name, "micro_gsm8k", "response_nll", 4)
    assert entry.settings(**record["configuration"]) == entry.settings(**settings)
    assert record["details"]["after"]["response_nll"] != record["details"]["before"]["response_nll"]
    assert record["fingerprints"].keys() == {"teacher", "student", "data"}
    assert result.adapter_dir == tmp_path
    assert (tmp_path / "record.json").is_file()
