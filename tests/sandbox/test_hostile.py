"""Every hostile or broken program of the table, run once for all tests: none escapes, none passes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import tqdm
from helpers import hostile_programs

import semalign
from semalign.sandbox import Outcome, SandboxError, isolation, run_many, sandbox_mode

SECONDS = 10  # three programs wait for it
NOBODY = 65534
PLACES = ("/", "/tmp", "/usr/lib", "/dev", "/var/tmp", "/home")
HARMLESS = [*hostile_programs.BROKEN, *hostile_programs.FAKES]
IN_ANOTHER_PROCESS = f"""
import json, sys
from semalign.sandbox import run_many
cases, mode = json.loads(sys.stdin.read())
print(json.dumps(run_many(cases, timeout={SECONDS}, cpu_seconds=1, mode=mode, workers=6)))
"""


def run(cases, mode):
    pairs = [(case.program, case.tests) for case in cases]
    return by_name(cases, run_many(pairs, timeout=SECONDS, cpu_seconds=1, mode=mode, workers=6))


def run_as_nobody(cases, mode):
    pairs = [(case.program, case.tests) for case in cases]
    process = as_nobody(IN_ANOTHER_PROCESS, json.dumps((pairs, mode)))
    if "SandboxError" in process.stderr:
        pytest.skip(process.stderr.splitlines()[-1])
    return by_name(cases, [Outcome(*outcome) for outcome in json.loads(process.stdout)])


def by_name(cases, outcomes):
    return dict(zip([case.name for case in cases], outcomes, strict=True))


def as_nobody(code, given=""):
    """Run code as an ordinary user, by an interpreter that this user may read."""
    folders = (Path(semalign.__file__).parents[1], Path(tqdm.__file__).parents[1])
    environment = os.environ | {"PYTHONPATH": ":".join(map(str, folders)), "PYTHONDONTWRITEBYTECODE": "1"}
    user = {"user": NOBODY, "group": NOBODY, "extra_groups": [], "cwd": "/"}
    for python in (os.path.realpath(sys.executable), "/usr/bin/python3"):
        try:
            command = [python, "-c", f"import semalign.sandbox\n{code}"]
            process = subprocess.run(command, input=given, capture_output=True, text=True, env=environment, **user)
        except OSError:
            continue
        if process.returncode == 0 or "SandboxError" in process.stderr:
            return process
    pytest.skip("no interpreter that an ordinary user may read")


@pytest.fixture(scope="module", params=["own", "nobody"])
def user(request):
    if request.param == "nobody" and os.geteuid():
        pytest.skip("only root becomes another user")
    return request.param


@pytest.fixture(scope="module", params=["bubblewrap", "limits"])
def mode(request):
    try:
        return sandbox_mode(request.param)
    except SandboxError as error:
        pytest.skip(str(error).splitlines()[0])


@pytest.fixture(scope="module")
def outcomes(mode, user):
    if mode == "limits" and isolation.mechanism(mode) != "landlock":
        pytest.skip("no Landlock")
    os.environ["SEMALIGN_SECRET"] = "42"
    yield (run if user == "own" else run_as_nobody)(hostile_programs.ALL, mode)
    del os.environ["SEMALIGN_SECRET"]


@pytest.fixture(scope="module", params=["filter", "guard"])
def outcomes_with_a_guard(request):
    if request.param == "filter" and isolation.mechanism("limits") == "guard":
        pytest.skip("no filter of system calls")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(isolation, "mechanism", lambda mode: request.param)
        return run(HARMLESS, "limits")


def test_names_are_unique_and_the_table_is_long():
    assert len({case.name for case in hostile_programs.ALL}) == len(hostile_programs.ALL) > 230


@pytest.mark.slow
@pytest.mark.parametrize("case", hostile_programs.ALL, ids=lambda case: case.name)
def test_none_escapes_and_none_passes(outcomes, mode, case):
    assert hostile_programs.held(case, outcomes[case.name], mode), outcomes[case.name]


@pytest.mark.slow
@pytest.mark.parametrize("case", HARMLESS, ids=lambda case: case.name)
def test_none_passes_by_a_guard_alone(outcomes_with_a_guard, case):
    outcome = outcomes_with_a_guard[case.name]
    assert not outcome.passed
    assert "ESCAPED" not in outcome.detail


@pytest.mark.slow
def test_nothing_was_written_outside(outcomes):
    for folder in PLACES:
        assert not Path(folder, "semalign-escaped").exists()
