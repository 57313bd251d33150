"""The registry, and every method of it end to end on the shipped pair."""

import pytest
from pydantic import ValidationError

from semalign.data import tasks as benchmarks
from semalign.experiments.runs import loaded_once
from semalign.methods.registry import method, methods
from semalign.methods.runner import run_method
from semalign.methods.semalign import transfer
from semalign.settings import TransferSettings

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


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("permuted-atoms", {"map": "semantic"}),
        ("output-cosine", {"layer_weight": 0.5}),
        ("layer-cosine", {"output_weight": 1}),
        ("logit-kl", {"output_loss": "cross_entropy"}),
        ("frontier", {"schedule": "one_layer"}),
        ("sft", {"layer_weight": 0.0}),
    ],
)
def test_what_sets_a_control_apart_cannot_be_changed(teacher, student, rows, name, settings):
    with pytest.raises(ValidationError, match=next(iter(settings))):
        run_method(name, teacher, student, rows, **settings)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("laten", "seeking", "sft", "frontier")])
def test_a_control_differs_from_semalign_where_it_says_and_nowhere_else(name):
    paper, own = TransferSettings().model_dump(), method(name).settings().model_dump()
    changed = {key: value for key, value in own.items() if value != paper[key]}
    assert (
        changed
        == {
            "semalign": {},
            "cross-entropy": {"layer_weight": 0, "output_loss": "cross_entropy"},
            "layer-cosine": {"output_weight": 0},
            "layer-distillation": {"map": "learned", "layer_loss": "mean_square", "output_loss": "cross_entropy"},
            "least-squares": {"map": "least_squares"},
            "logit-kl": {"layer_weight": 0, "output_loss": "kl"},
            "logit-reverse-kl": {"layer_weight": 0, "output_loss": "reverse_kl"},
            "output-cosine": {"layer_weight": 0},
            "permuted-atoms": {"map": "permuted"},
            "procrustes": {"map": "procrustes"},
            "random-bases": {"map": "random"},
            "ridge": {"map": "ridge"},
        }[name]
    )


def test_a_control_is_a_transfer_under_its_settings(teacher, student, rows):
    fast = {"epochs": 2, "batch_size": 4, "rank": 2, "attribution_examples": 3}
    ours = run_method("ridge", teacher, student, rows, **fast).record
    theirs = transfer(teacher, student, rows, map="ridge", **fast).record
    assert ours["losses"] == theirs["losses"]
    assert (ours["method"], theirs["method"]) == ("ridge", "semalign")


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_method_runs_on_the_shipped_pair(name, tmp_path):
    entry = method(name)
    settings = {key: value for key, value in FAST.items() if key in entry.settings.model_fields}
    rows, held_out = benchmarks.rows("micro_gsm8k", "train", 64), benchmarks.rows("micro_gsm8k", "validation", 4)
    teacher, student = loaded_once("micro-teacher"), loaded_once("micro-student")
    places = {"output_dir": tmp_path, "validation": held_out, "task": "micro_gsm8k"}
    result = run_method(name, teacher, student, rows, **places, **settings)
    record = result.record
    assert (record["method"], record["task"], record["metric"], record["n"]) == (name, "micro_gsm8k", "response_nll", 4)
    assert entry.settings(**record["configuration"]) == entry.settings(**settings)
    assert record["details"]["after"]["response_nll"] != record["details"]["before"]["response_nll"]
    assert record["fingerprints"].keys() == {"teacher", "student", "data"}
    assert result.adapter_dir == tmp_path
    assert (tmp_path / "record.json").is_file()
