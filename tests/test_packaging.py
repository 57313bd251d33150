"""The wheel works without a checkout: it holds models, benchmarks and settings, and nothing is written into it."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE", "CHANGELOG.md", "CITATION.cff")
BUILD = "import sys, setuptools.build_meta as backend; print(getattr(backend, sys.argv[1])(sys.argv[2]))"
WHERE = """
import json, semalign.paths
from semalign.data.sources import locate as locate_data
from semalign.data.task_file import task_names
from semalign.experiments.profiles import load_profile
from semalign.micro.recipe import load_recipe
from semalign.models.located import locate
from semalign.results.surroundings import commit
profile = load_profile("micro")
print(json.dumps({
    "module": semalign.paths.__file__,
    "models": [locate(name) for name in (profile.teacher, profile.student, *profile.teachers)],
    "benchmark": str(locate_data("semalign/micro-gsm8k", None, "test")[0]),
    "tasks": task_names(),
    "recipe": load_recipe().model("micro-student").seed,
    "results": str(semalign.paths.results_dir()),
    "commit": commit(),
}))
"""


def files_below(folder):
    return sorted(path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file())


def build(kind, source, out):
    command = [sys.executable, "-c", BUILD, f"build_{kind}", str(out)]
    printed = subprocess.run(command, cwd=source, capture_output=True, text=True, check=True).stdout
    return out / printed.splitlines()[-1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel that is built from the source distribution, away from the checkout."""
    folder = tmp_path_factory.mktemp("build")
    source = folder / "source"
    shutil.copytree(ROOT / "src", source / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for name in ("models", "benchmarks"):
        shutil.copytree(ROOT / "data" / name, source / "data" / name)
    for name in (*SOURCES, "constraints.txt"):
        shutil.copy(ROOT / name, source / name)
    with tarfile.open(build("sdist", source, folder)) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    (unpacked,) = (folder / "unpacked").iterdir()
    return build("wheel", unpacked, folder)


@pytest.fixture
def installed(wheel, tmp_path, monkeypatch):
    """A folder with what the wheel installs, and a function that runs Python there, in another folder."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    (tmp_path / "work").mkdir()
    kept = {key: value for key, value in os.environ.items() if not key.startswith("SEMALIGN_")}
    environment = {**kept, "PYTHONPATH": str(tmp_path / "site"), "PYTHONDONTWRITEBYTECODE": "1"}
    environment["SEMALIGN_CACHE"] = str(tmp_path / "cache")

    def python(*arguments):
        command = [sys.executable, *arguments]
        return subprocess.run(
            command, cwd=tmp_path / "work", env=environment, capture_output=True, text=True, check=True
        ).stdout

    return tmp_path, python


@pytest.mark.slow
def test_the_wheel_holds_the_code_its_settings_and_what_the_project_ships(wheel):
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    code = {f"semalign/{name}" for name in files_below(ROOT / "src" / "semalign") if "__pycache__" not in name}
    folders = [*(ROOT / "data" / "models").glob("micro-*"), ROOT / "data" / "benchmarks" / "semalign"]
    relative = [folder.relative_to(ROOT / "data") for folder in folders]
    data = {f"semalign/shipped/{path}/{name}" for path in relative for name in files_below(ROOT / "data" / path)}
    assert len(relative) == 6
    assert held == code | data


@pytest.mark.slow
def test_an_installed_package_finds_what_it_holds_and_writes_results_in_the_working_directory(installed):
    folder, python = installed
    found = json.loads(python("-c", WHERE))
    site, work = (str((folder / name).resolve()) for name in ("site", "work"))
    assert all(place.startswith(f"{site}/") for place in (found["module"], found["benchmark"], *found["models"]))
    assert "micro_gsm8k" in found["tasks"] and found["recipe"] >= 0
    assert found["results"] == f"{work}/data/results"
    assert found["commit"] is None


@pytest.mark.slow
def test_an_installed_package_evaluates_a_shipped_model_and_stays_as_it_was(installed):
    folder, python = installed
    before = files_below(folder / "site")
    arguments = ("micro-student", "--task", "micro_gsm8k", "--limit", "2", "--out", "scores")
    printed = python("-m", "semalign", "evaluate", *arguments)
    assert printed.startswith("micro_gsm8k test: ") and "n=2" in printed
    assert (folder / "work" / "scores" / "micro_gsm8k.json").is_file()
    assert files_below(folder / "site") == before
