"""Each kind of input makes a notebook stale by name, and what it does not depend on does not."""

import json
import os
from importlib.metadata import EntryPoint

import huggingface_hub
import pytest
import yaml
from helpers.profiles import write_profile

from semalign.book import freshness
from semalign.book.freshness import changes, dependencies, downloads
from semalign.included import VARIABLE
from semalign.paths import project_root

SOURCE = """# %% tags=["parameters"]
profile = "micro"
inputs = ["models", "results/{profile}"]
"""
DATA = {"models/weights.bin": "1", "results/tiny/record.json": "{}", "results/speed/a.json": "{}"}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A small checkout, a profile with models, data and a task outside of it, and a folder of included files."""
    root = tmp_path / "project"
    task = project_root() / "examples" / "task"
    for name, text in DATA.items():
        write(root / "data" / name, text)
    for path in task.iterdir():
        write(tmp_path / "task" / path.name, path.read_text())
    write(root / "library" / "basis.py", "x = 1")
    write(root / "notebooks" / "01_first.py", SOURCE)
    write(root / "book" / "_static" / "data" / "first.csv", "x\n1\n")
    write(tmp_path / "own" / "mine.py", "y = 1")
    for model in ("teacher", "student", "coder"):
        write(tmp_path / model / "config.json", "{}")
        write(tmp_path / model / "model.safetensors", "1")
    for split in ("train", "test"):
        write(tmp_path / "roots" / "semalign" / "micro-gsm8k" / f"{split}.jsonl", "{}")
    monkeypatch.setenv("SEMALIGN_ROOT", str(root))
    monkeypatch.setenv("SEMALIGN_DATA", str(tmp_path / "roots"))
    monkeypatch.setenv(VARIABLE, str(tmp_path / "own"))
    monkeypatch.setattr(freshness, "LIBRARY", root / "library")
    tasks = {"micro_gsm8k": {"epochs": 1}, str(tmp_path / "task" / "arithmetic.yaml"): {"epochs": 1}}
    write_profile(tmp_path, tasks=tasks)
    return root


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def stale(project):
    """Return what changed since the notebook was run, as a function."""
    source, executed = project / "notebooks" / "01_first.py", project / "book" / "notebooks" / "01_first.ipynb"
    profile = str(project.parent / "tiny.yaml")
    page = '<a href="../_static/data/first.csv" download>data</a>'
    stamp = {**dependencies(source, profile), "downloads": downloads(page)}
    write(executed, json.dumps({"cells": [page], "metadata": {"semalign": stamp}}))
    return lambda: changes(source, executed, profile)


PLACES = {
    "library": "project/library/basis.py",
    "data/models": "project/data/models/weights.bin",
    "data/results/tiny": "project/data/results/tiny/record.json",
    "downloads": "project/book/_static/data/first.csv",
    "included own": "own/mine.py",
    "model {}/student": "student/model.safetensors",
    "model {}/coder": "coder/config.json",
    "data semalign/micro-gsm8k train": "roots/semalign/micro-gsm8k/train.jsonl",
    "data semalign/micro-gsm8k test": "roots/semalign/micro-gsm8k/test.jsonl",
    "task arithmetic.yaml": "task/arithmetic.yaml",
}


@pytest.mark.parametrize("kind", PLACES)
def test_a_changed_file_of_each_kind_makes_a_notebook_stale_by_name(stale, tmp_path, kind):
    assert stale() == []
    path = tmp_path / PLACES[kind]
    path.write_text(path.read_text() + "\n")
    assert stale() == [f"{kind.format(tmp_path)} changed"]


@pytest.mark.parametrize("kind", sorted(PLACES.keys() - {"task arithmetic.yaml"}))
def test_so_does_a_file_that_is_gone(stale, tmp_path, kind):
    (tmp_path / PLACES[kind]).unlink()
    assert stale() == [f"{kind.format(tmp_path)} changed"]


@pytest.mark.parametrize(("old", "new", "kinds"), [
    ('["parameters"]', '["parameters", "hide-input"]', ["text"]),
    ('"micro"', '"micro"  # the default', ["code"]),
    ('"results/{profile}"]', '"results/{profile}"]\n\n# %%\n1 + 1', ["code", "text"]),
    ('profile = "micro"', 'profile = "micro"', []),
])  # fmt: skip
def test_a_change_of_a_notebook_is_one_of_its_code_or_its_text(stale, project, old, new, kinds):
    source = project / "notebooks" / "01_first.py"
    text = source.read_text()
    assert old in text
    write(source, text.replace(old, new) + "\n")  # an empty line at the end is no change
    assert stale() == [f"{kind} changed" for kind in kinds]


def test_so_does_a_new_file(stale, project, tmp_path):
    write(project / "library" / "tasks" / "new.yaml", "task: new")
    write(tmp_path / "own" / "more.py", "")
    write(project / "data" / "models" / "deep" / "more.bin", "")
    assert stale() == ["library changed", "included own changed", "data/models changed"]


def test_so_does_another_value_of_the_profile(stale, tmp_path):
    content = yaml.safe_load((tmp_path / "tiny.yaml").read_text())
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump({**content, "seeds": [0]}))
    assert stale() == ["profile changed"]


def test_so_does_another_version_of_a_package(stale, monkeypatch):
    monkeypatch.setattr(freshness, "version", lambda name: "0")
    assert stale() == ["packages changed"]
    monkeypatch.undo()


def test_so_does_a_folder_that_is_included_no_longer_or_a_distribution_with_methods(stale, monkeypatch):
    monkeypatch.setenv(VARIABLE, "")
    point = EntryPoint("mine", "mine.methods", "semalign")
    monkeypatch.setattr(freshness, "entry_points", lambda group: [point])
    assert stale() == ["entry points changed", "included own changed"]


def test_so_does_data_from_another_root(stale, tmp_path, monkeypatch):
    (tmp_path / "other").mkdir()
    (tmp_path / "roots" / "semalign").rename(tmp_path / "other" / "semalign")
    monkeypatch.setenv("SEMALIGN_DATA", str(tmp_path / "other"))
    assert stale() == ["data semalign/micro-gsm8k train changed", "data semalign/micro-gsm8k test changed"]


def test_so_does_another_revision_of_a_model_of_the_hub(tmp_path, monkeypatch):
    for revision in ("a", "b"):
        config = tmp_path / "snapshots" / revision / "config.json"
        monkeypatch.setattr(freshness, "try_to_load_from_cache", lambda *_, found=config: str(found))
        assert freshness._model("owner/name") == revision
    monkeypatch.setattr(freshness, "try_to_load_from_cache", huggingface_hub.try_to_load_from_cache)
    assert freshness._model("owner/no-such-model") == "absent"


def test_what_a_notebook_does_not_depend_on_does_not_make_it_stale(stale, project, tmp_path):
    write(project / "data" / "results" / "speed" / "a.json", "[]")
    write(project / "library" / "__pycache__" / "basis.pyc", "")
    write(project / "data" / "models" / ".tmp-1" / "weights.bin", "")
    write(project / "book" / "_static" / "data" / "second.csv", "")
    write(tmp_path / "roots" / "semalign" / "micro-mmlu" / "test.jsonl", "{}")
    write(tmp_path / "student" / ".cache", "")
    os.utime(project / "data" / "models" / "weights.bin", (0, 0))
    assert stale() == []


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"metadata": 3}', '{"metadata": {"semalign": 3}}', "\udcff"])
def test_a_damaged_notebook_is_run_again(project, text):
    executed = project / "book" / "notebooks" / "01_first.ipynb"
    executed.parent.mkdir()
    executed.write_bytes(text.encode(errors="surrogateescape"))
    source, profile = project / "notebooks" / "01_first.py", str(project.parent / "tiny.yaml")
    assert changes(source, executed, profile) == ["its executed form is damaged"]


def test_the_bundled_models_and_data_are_inputs_that_notebooks_declare():
    assert freshness.outside(freshness.load_profile("micro")) == {}
