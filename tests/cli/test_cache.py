"""The cache as a command shows and clears it."""

import os
import time

import pytest
from helpers.commands import invoke, runner

from semalign import cli
from semalign.models import remembered
from semalign.models.loading import load_model
from semalign.models.remembered import remembered as facts_of
from semalign.paths import cache_dir


@pytest.fixture
def kept():
    """Two heads, one of them old, and a checkpoint."""
    for name, size, days in (("heads/a", 3 * 1024, 40), ("heads/b", 100, 0), ("runs/micro-1/sft--0/checkpoint", 10, 2)):
        path = cache_dir() / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(size))
        for each in (path, path.parent):
            os.utime(each, (time.time() - days * 86_400,) * 2)


def test_kinds_and_entries_are_shown(kept):
    lines = invoke("cache").splitlines()
    assert (
        lines[0] == str(cache_dir()) and lines[1].split() == "heads 2 3 KB 0 to 40 days old LM heads of models".split()
    )
    assert lines[2].startswith("runs             1") and lines[-1].startswith("3 entries, ")
    lines = invoke("cache", "--only", "heads").splitlines()
    assert [line.split()[-1] for line in lines[1:3]] == ["heads/a", "heads/b"] and "40 days old" in lines[1]


def test_nothing_is_removed_without_a_yes(kept):
    asked = runner.invoke(cli.app, ["cache", "clear"], input="n\n")
    assert asked.exit_code == 1 and len(list((cache_dir() / "heads").iterdir())) == 2


def test_some_or_all_is_removed(kept):
    assert "removed 1 of 1" in invoke("cache", "clear", "--only", "heads", "--older", 30, "--yes")
    assert [path.name for path in (cache_dir() / "heads").iterdir()] == ["b"]
    assert "removed 2 of 2" in invoke("cache", "clear", "--yes")
    assert invoke("cache").splitlines() == [str(cache_dir()), "nothing is kept"]


def test_a_head_has_the_name_of_its_model(kept, monkeypatch):
    monkeypatch.setattr(remembered, "RECENT", 0)
    facts = facts_of("micro-student", lambda: load_model("micro-student"))
    (cache_dir() / "heads" / "b").rename(cache_dir() / "heads" / f"{facts.identity}.safetensors")
    assert f"heads/{facts.identity}.safetensors  micro-student" in invoke("cache", "--only", "heads")


def test_an_unknown_kind_is_told_the_nearest(kept):
    result = runner.invoke(cli.app, ["cache", "--only", "head"])
    assert result.exit_code == 2 and "did you mean 'heads'" in " ".join(result.output.replace("│", " ").split())
