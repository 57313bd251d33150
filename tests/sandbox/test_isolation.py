"""Which sandbox there is, and how interpreters start and stop in it."""

import shutil

import pytest

from semalign.sandbox import SandboxError, isolation, run_tests, sandbox_mode


def test_the_mode_is_the_argument_then_the_environment_then_bubblewrap(monkeypatch):
    monkeypatch.setattr(isolation, "_problem", lambda: None)
    monkeypatch.delenv("SEMALIGN_SANDBOX", raising=False)
    assert sandbox_mode() == "bubblewrap"
    monkeypatch.setenv("SEMALIGN_SANDBOX", "limits")
    assert sandbox_mode() == "limits"
    assert sandbox_mode("bubblewrap") == "bubblewrap"
    with pytest.raises(ValueError, match="no sandbox 'none'; choose from 'bubblewrap' and 'limits'"):
        sandbox_mode("none")


def test_without_bubblewrap_nothing_runs_and_the_error_says_what_to_do(monkeypatch):
    isolation._problem.cache_clear()
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(SandboxError, match=r"bwrap is not installed\. .*apt-get install.*--sandbox=limits"):
        run_tests("", "", mode="bubblewrap")
    isolation._problem.cache_clear()


def test_bubblewrap_that_does_not_work_says_why(monkeypatch, tmp_path):
    (tmp_path / "bwrap").write_text("#!/bin/sh\necho 'bwrap: No permissions\nto create new namespace' >&2\nexit 1\n")
    (tmp_path / "bwrap").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    for cache in (isolation._problem, isolation._namespaces):
        cache.cache_clear()
    with pytest.raises(SandboxError, match="it does not work here: bwrap: No permissions to create new namespace"):
        sandbox_mode("bubblewrap")
    for cache in (isolation._problem, isolation._namespaces):
        cache.cache_clear()
