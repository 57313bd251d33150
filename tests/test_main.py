"""``python -m semalign`` is the whole command, and what only prints loads no model library."""

import os
import subprocess
import sys
from importlib.metadata import version

import pytest

HEAVY = {
    "torch",
    "transformers",
    "peft",
    "datasets",
    "lm_eval",
    "pandas",
    "captum",
    "scipy",
    "matplotlib",
    "numpy",
    "pyarrow",
}
LOADED = """
import runpy, sys
sys.argv = ["semalign", *sys.argv[1:]]
try:
    runpy.run_module("semalign", run_name="__main__", alter_sys=True)
except SystemExit as stopped:
    assert not stopped.code, stopped.code
print("loaded:", *sorted({name.partition(".")[0] for name in sys.modules}))
"""


def run(*command):
    return subprocess.run([sys.executable, *command], capture_output=True, text=True, check=True).stdout


def test_the_module_runs_the_command():
    assert run("-m", "semalign", "pair", "5", "4").splitlines()[0].split() == ["student", "teacher", "interpolated"]
    assert "Usage: semalign [OPTIONS]" in run("-m", "semalign", "--help")


@pytest.mark.slow
def test_an_error_is_one_line_and_a_status():
    failed = subprocess.run([sys.executable, "-m", "semalign", "pair", "no-such-model", "4"], capture_output=True)
    assert failed.returncode == 1
    assert failed.stderr.startswith(b"semalign: no model 'no-such-model'")
    assert failed.stderr.count(b"\n") == 1


def test_the_version_is_that_of_the_distribution():
    assert run("-m", "semalign", "--version") == f"semalign {version('semalign')}\n"


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["transfer", "--help"], ["pair", "5", "4"]])
def test_what_only_prints_loads_no_model_library(arguments):
    loaded = run("-c", LOADED, *arguments).splitlines()[-1].split()
    assert loaded[0] == "loaded:" and "semalign" in loaded and "typer" in loaded
    assert not HEAVY & set(loaded)


@pytest.mark.parametrize(
    ("line", "needed"),
    [
        ("import semalign", set()),
        ("import semalign.settings", {"pydantic"}),
        ("import semalign; semalign.TransferSettings(seed=1, rank=8, student_layer=3)", {"pydantic"}),
        ("import semalign; semalign.include('.')", {"pydantic"}),
        ("import semalign.data.chat, semalign.files, semalign.experiments.profile_paths, semalign.outputs", set()),
        ("import semalign.sandbox.runs, semalign.stopping, semalign.disk, semalign.yaml_text", set()),
    ],
)
def test_a_light_module_loads_what_it_needs(line, needed, tmp_path):
    shown = f"{line}; import sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", shown], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert (HEAVY | {"pydantic", "typer"}) & set(loaded.stdout.split()) == needed


@pytest.mark.parametrize(
    "arguments",
    [
        "transfer a b -d micro_mmlu -o out --set rank",
        "transfer a b -d no_such_file.jsonl -o out",
        "transfer a b -d micro_mmlu -o /proc/semalign",
        "transfer a b -d micro_mmlu -o out --adapter nothing",
        "transfer nobody/no-model micro-student -d micro_mmlu -o out",
        "transfer micro-teacher nobody/no-model -d micro_mmlu -o out",
        "evaluate nobody/no-model -t micro_mmlu",
        "attribute nobody/no-model -d micro_mmlu",
        "pair nobody/no-model micro-student",
        "diagnose micro-teacher nobody/no-model -d micro_mmlu -o out",
        "evaluate a -t micro_mmlu --engine onnx",
        "attribute a -d micro_mmlu --interface mpl",
        "compare --profile macro",
        "run --profile macro",
        "select --profile macro",
    ],
)
def test_a_mistake_in_the_arguments_is_told_before_a_model_library_is_loaded(arguments):
    command = [sys.executable, "-c", LOADED.replace("assert not stopped.code, stopped.code", "assert stopped.code")]
    offline = os.environ | {"HF_HUB_OFFLINE": "1"}
    loaded = subprocess.run(
        [*command, *arguments.split()], capture_output=True, text=True, check=True, env=offline
    ).stdout.split()
    assert loaded[0] == "loaded:" and not HEAVY & set(loaded)
