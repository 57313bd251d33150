"""What the methods declare; controls: SemAlign but for what each takes away."""

import subprocess
import sys

import pytest

from semalign.methods.declared.controls import CONTROLS
from semalign.methods.registry import method, methods
from semalign.methods.runner import run_method
from semalign.methods.semalign import transfer
from semalign.registry import placed
from semalign.settings import TransferSettings

DIFFERS = {
    "cross-entropy": {"layer_weight": 0, "output_loss": "cross_entropy"},
    "frontier": {
        "schedule": "frontier",
        "interface": "residual",
        "map": "none",
        "layer_loss": "relation",
        "output_loss": "kl",
    },
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
}


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
    with pytest.raises(ValueError, match=next(iter(settings))):
        run_method(name, teacher, student, rows, **settings)


@pytest.mark.parametrize(("name", "expected"), DIFFERS.items(), ids=DIFFERS)
def test_a_control_differs_from_semalign_where_it_says_and_nowhere_else(name, expected):
    paper, own = TransferSettings().model_dump(), method(name).settings().model_dump()
    assert {key: value for key, value in own.items() if value != paper[key]} == expected


def test_the_table_has_these_controls_and_no_other():
    assert {control.name for control in CONTROLS} == DIFFERS.keys()
    assert {name for name, entry in methods().items() if entry.kind == "control"} == {*DIFFERS, "sft"}


@pytest.mark.slow
def test_a_control_is_a_transfer_under_its_settings(teacher, student, rows):
    fast = {"epochs": 2, "batch_size": 4, "rank": 2, "attribution_examples": 3}
    ours = run_method("ridge", teacher, student, rows, **fast).record
    theirs = transfer(teacher, student, rows, map="ridge", **fast).record
    assert ours["losses"] == theirs["losses"]
    assert (ours["method"], theirs["method"]) == ("ridge", "semalign")


def test_the_functions_of_every_method_stand_where_it_says():
    for entry in methods().values():
        assert callable(placed(entry.adapt)) and callable(placed(entry.check))


def test_names_and_settings_of_methods_load_no_model_library():
    script = (
        "import sys; from semalign.methods.registry import methods; "
        "print(len([each.settings() for each in methods().values()]), {'torch', 'numpy', 'peft'} & set(sys.modules))"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert told.stdout == f"{len(methods())} set()\n", told.stderr
