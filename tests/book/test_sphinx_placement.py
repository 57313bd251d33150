"""A build of the book runs its notebooks under the types and devices of the profile, and only them."""

import os
from types import SimpleNamespace

import pytest
import yaml
from sphinx.errors import ExtensionError

from semalign.book import sphinx_extension
from semalign.book.sphinx_extension import run_stale_notebooks
from semalign.models.placement import VARIABLES


@pytest.fixture
def ran(tmp_path, monkeypatch):
    """The type that notebooks were run in, of a build for a profile in bfloat16."""
    content = {"teacher": "t", "student": "s", "tasks": {"gsm8k": {}}, "models": {"dtype": "bfloat16"}}
    (tmp_path / "half.yaml").write_text(yaml.safe_dump(content))
    for variable in ("SEMALIGN_ROOT", *VARIABLES.values()):
        monkeypatch.setenv(variable, "")  # put back at the end of the test
    found = []
    monkeypatch.setenv("SEMALIGN_PROFILE", str(tmp_path / "half.yaml"))
    monkeypatch.setattr(sphinx_extension, "run_notebooks", lambda name: found.append(os.environ["SEMALIGN_DTYPE"]))
    return found


def build(tmp_path):
    run_stale_notebooks(SimpleNamespace(srcdir=tmp_path / "book"), None)


def test_notebooks_run_in_the_type_of_the_profile_and_pages_are_made_without(ran, tmp_path):
    build(tmp_path)
    assert ran == ["bfloat16"] and not os.environ.get("SEMALIGN_DTYPE")


def test_a_type_that_the_user_has_set_stays(ran, tmp_path, monkeypatch):
    monkeypatch.setenv("SEMALIGN_DTYPE", "float16")
    build(tmp_path)
    assert ran == ["float16"] and os.environ["SEMALIGN_DTYPE"] == "float16"


def test_the_profile_of_the_micro_models_sets_nothing(ran, tmp_path, monkeypatch):
    monkeypatch.setenv("SEMALIGN_PROFILE", "micro")
    before = dict(os.environ)
    build(tmp_path)
    assert ran == [""] and dict(os.environ) == {**before, "SEMALIGN_ROOT": str(tmp_path)}


def test_a_profile_that_does_not_exist_ends_the_build(ran, tmp_path, monkeypatch):
    monkeypatch.setenv("SEMALIGN_PROFILE", "macro")
    with pytest.raises(ExtensionError, match="no profile 'macro'"):
        build(tmp_path)
    assert ran == []
