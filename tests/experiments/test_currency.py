"""What is current is told without the libraries of models, once identities are remembered."""

import subprocess
import sys

import pytest
from helpers.profiles import write_profile

from semalign.experiments.inputs import fingerprint_of
from semalign.experiments.profiles import load_profile
from semalign.models import remembered


@pytest.mark.slow
def test_a_dry_run_loads_no_model_library_once_the_models_are_known(tmp_path, monkeypatch, teacher, student):
    for name, model in (("teacher", teacher), ("student", student)):
        model.model.save_pretrained(tmp_path / name)
        model.tokenizer.save_pretrained(tmp_path / name)
    monkeypatch.setattr(remembered, "RECENT", 0)
    monkeypatch.setenv("SEMALIGN_CACHE", str(tmp_path / "cache"))
    write_profile(tmp_path, teachers={})
    profile = load_profile(tmp_path / "tiny.yaml")
    for name in (profile.teacher, profile.student):
        fingerprint_of(name)
    script = (
        "import sys; from pathlib import Path; from semalign.experiments import currency; "
        "from semalign.experiments.profiles import load_profile; "
        f"cells = currency.missing(load_profile({str(tmp_path / 'tiny.yaml')!r}), Path('none'), ['all']); "
        "print(set(cells.values()), {'torch', 'transformers', 'peft'} & set(sys.modules))"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert told.stdout == "{'missing'} set()\n", told.stderr
