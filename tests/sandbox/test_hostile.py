"""Every hostile or broken program of the table, run once for all tests: none escapes, none passes."""

import os
from pathlib import Path

import pytest
from helpers import hostile_programs

from semalign.sandbox import SandboxError, run_many, sandbox_mode

SECONDS = 10  # three programs wait for it
HARMLESS = [*hostile_programs.BROKEN, *hostile_programs.FAKES]  # without namespaces too


def run(cases, mode):
    pairs = [(case.program, case.tests) for case in cases]
    outcomes = run_many(pairs, timeout=SECONDS, cpu_seconds=1, mode=mode, workers=6)
    return dict(zip([case.name for case in cases], outcomes, strict=True))


@pytest.fixture(scope="module")
def outcomes():
    try:
        sandbox_mode("bubblewrap")
    except SandboxError as error:
        pytest.skip(str(error).splitlines()[0])
    os.environ["SEMALIGN_SECRET"] = "42"
    yield run(hostile_programs.ALL, "bubblewrap")
    del os.environ["SEMALIGN_SECRET"]


@pytest.fixture(scope="module")
def outcomes_with_limits_only():
    return run(HARMLESS, "limits")


def test_names_are_unique_and_the_table_is_long():
    assert len({case.name for case in hostile_programs.ALL}) == len(hostile_programs.ALL) > 100


@pytest.mark.slow
@pytest.mark.parametrize("case", hostile_programs.ALL, ids=lambda case: case.name)
def test_none_escapes_and_none_passes(outcomes, case):
    outcome = outcomes[case.name]
    assert not outcome.passed
    assert "ESCAPED" not in outcome.detail
    # On a busy machine the wall clock may end what processor time would have ended.
    assert outcome.reason in case.reasons | ({"timeout"} if "cpu" in case.reasons else set()), outcome


@pytest.mark.slow
@pytest.mark.parametrize("case", HARMLESS, ids=lambda case: case.name)
def test_none_passes_with_limits_only(outcomes_with_limits_only, case):
    outcome = outcomes_with_limits_only[case.name]
    assert not outcome.passed
    assert "ESCAPED" not in outcome.detail


@pytest.mark.slow
def test_nothing_was_written_outside(outcomes):
    for folder in ("/", "/tmp", "/usr/lib", "/dev", "/var/tmp", "/home"):
        assert not Path(folder, "semalign-escaped").exists()
