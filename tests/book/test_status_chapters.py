"""The status of the notebooks, from executed ones made by hand."""

import json
import subprocess
import sys

import pytest

from semalign.book import status_chapters
from semalign.book.provenance import KEY


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMALIGN_ROOT", str(tmp_path))
    monkeypatch.setenv("SEMALIGN_PROFILE", "micro")
    for name in ("01_x", "02_y"):
        path = tmp_path / "notebooks" / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.touch()
    run = {"profile": "micro", "commit": "abc", "created": "2026-02-03T04:05:06", "seconds": 90.4}
    shown = {"metadata": {KEY: {"data": "a", "records": {"devices": ["cpu"]}}}}
    executed = tmp_path / "book" / "notebooks" / "01_x.ipynb"
    executed.parent.mkdir(parents=True)
    executed.write_text(json.dumps({"cells": [{"outputs": [shown]}], "metadata": {"semalign_run": run}}))
    monkeypatch.setattr(status_chapters, "stale_notebooks", lambda profile: {"02_y": ["never run"]})
    return tmp_path


def test_what_was_run_has_its_time_and_what_was_not_is_named(project):
    text = status_chapters.notebooks()
    assert "| `01_x` | 90 s | 2026-02-03 | `abc` | fresh |" in text
    assert "| `02_y` | – | – | – | stale: never run |" in text


def test_the_devices_are_those_of_the_records_behind_chapters(project):
    assert status_chapters.devices().endswith("chapters show: cpu. On a GPU: **not run**.\n")


def test_a_record_of_a_gpu_is_named(project):
    path = project / "book" / "notebooks" / "01_x.ipynb"
    path.write_text(path.read_text().replace('"cpu"', '"NVIDIA H100"'))
    assert "chapters show: NVIDIA H100. \n" in status_chapters.devices()


def test_the_text_of_a_changed_chapter_does_not_wait_for_torch():
    program = "import sys, semalign.book.status_chapters; assert not {'torch', 'transformers'} & {*sys.modules}"
    subprocess.run([sys.executable, "-c", program], check=True)
