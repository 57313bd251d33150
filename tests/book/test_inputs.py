"""Notebooks name what they read below data/, and reading another file there is an error."""

import subprocess
import sys
from pathlib import Path

import jupytext
import pytest

from semalign.book.inputs import UndeclaredInputError, declared_inputs, input_paths, refuse
from semalign.paths import data_dir

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.py"))


def test_inputs_are_read_without_running_the_notebook(tmp_path):
    source = tmp_path / "01_x.py"
    source.write_text(
        '# %% tags=["parameters"]\nprofile = "micro"\ninputs = ["models", "results/{profile}"]\n\n# %%\n1 / 0\n'
    )
    assert declared_inputs(source) == ["models", "results/{profile}"]


def test_the_profile_stands_in_the_name_of_an_input():
    assert input_paths(["paper", "results/{profile}-cost"], "micro-tuned") == {
        "paper": data_dir() / "paper",
        "results/micro-tuned-cost": data_dir() / "results" / "micro-tuned-cost",
    }


def test_only_what_is_named_may_be_read(tmp_path):
    allowed = [tmp_path / "models", tmp_path / "results" / "a.json"]
    for path in (tmp_path / "models" / "x" / "config.json", tmp_path / "results" / "a.json", tmp_path.parent / "other"):
        refuse(path, allowed, tmp_path)
    for name in ("results/b.json", "models-2/config.json", "results/a.json.csv"):
        with pytest.raises(UndeclaredInputError, match=f"data/{name} is not an input of this notebook: add it"):
            refuse(tmp_path / name, allowed, tmp_path)


@pytest.mark.slow
def test_a_kernel_is_held_to_its_inputs(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMALIGN_ROOT", str(tmp_path))
    for name in ("paper", "speed"):
        (tmp_path / "data" / name).mkdir(parents=True)
        (tmp_path / "data" / name / "a.csv").write_text("x\n1\n")
    program = """
import pandas as pd
from pathlib import Path
from semalign.book.inputs import hold_to
hold_to(["paper"], "micro")
print(len(pd.read_csv("data/paper/a.csv")), len(Path("own.txt").read_text()))
pd.read_csv("data/speed/a.csv")
"""
    (tmp_path / "own.txt").write_text("own")
    ran = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert ran.stdout.split() == ["1", "3"]
    assert "UndeclaredInputError: data/speed/a.csv is not an input of this notebook" in ran.stderr


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_held_to_its_inputs_before_it_reads_anything(path):
    parameters, first = [cell for cell in jupytext.read(path).cells if cell.cell_type == "code"][:2]
    assert "parameters" in parameters.metadata.tags
    assert f'open_page("{path.stem}", profile, inputs)' in first.source
    made = (data_dir() / "results" / "README.md").read_text()  # some of these folders have no records yet
    for name in (name.format(profile="micro") for name in declared_inputs(path)):
        assert (data_dir() / name).exists() or f"`{name.removeprefix('results/')}/`" in made, name
