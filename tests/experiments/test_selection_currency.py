"""What is missing of a selection is told without the libraries of models, once identities are remembered."""

import subprocess
import sys

import pytest
from helpers.profiles import write_profile

from semalign.experiments import selection, selection_currency
from semalign.experiments.inputs import fingerprint_of
from semalign.experiments.profiles import load_profile
from semalign.models import remembered


def test_the_selection_asks_here():
    assert selection.missing is selection_currency.missing and selection.reasons is selection_currency.reasons


@pytest.mark.slow
def test_a_dry_run_loads_no_model_library_once_the_models_are_known(tmp_path, monkeypatch, teacher, student):
    for name, model in (("teacher", teacher), ("student", student)):
        model.model.save_pretrained(tmp_path / name)
        model.tokenizer.save_pretrained(tmp_path / name)
    monkeypatch.setattr(remembered, "RECENT", 0)
    monkeypatch.setenv("SEMALIGN_CACHE", str(tmp_path / "cache"))
    grids = {"semalign": {"learning_rate": [1e-3, 1e-2]}}
    write_profile(tmp_path, teachers={}, selection=grids)
    profile = load_profile(tmp_path / "tiny.yaml")
    for name in (profile.teacher, profile.student):
        fingerprint_of(name)
    script = (
        "import sys; from semalign import cli; "
        f"cli.app(['select', '--dry-run', '--profile', {str(tmp_path / 'tiny.yaml')!r}], standalone_mode=False); "
        "print({'torch', 'transformers', 'peft'} & set(sys.modules))"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert told.stdout.count(": missing\n") == 2 and told.stdout.endswith("set()\n"), told.stderr
