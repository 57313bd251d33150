"""Every hostile or broken program of the table, run once for all tests: none escapes, none passes."""

import os
import struct
from pathlib import Path

import pytest
from helpers import hostile_programs

from semalign.sandbox import SandboxError, run_many, sandbox_mode
from semalign.sandbox.seccomp import AARCH64, X86_64, filter_program

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


@pytest.mark.parametrize("case", HARMLESS, ids=lambda case: case.name)
def test_none_passes_with_limits_only(outcomes_with_limits_only, case):
    outcome = outcomes_with_limits_only[case.name]
    assert not outcome.passed
    assert "ESCAPED" not in outcome.detail


def test_nothing_was_written_outside(outcomes):
    for folder in ("/", "/tmp", "/usr/lib", "/dev", "/var/tmp", "/home"):
        assert not Path(folder, "semalign-escaped").exists()


def judge(program: bytes, architecture: int, number: int, argument: int) -> int:
    """Run a filter as the kernel does."""
    steps, data = list(struct.iter_unpack("=HBBI", program)), {0: number, 4: architecture, 16: argument}
    at = value = 0
    while True:
        code, if_true, if_false, constant = steps[at]
        if code == 0x06:
            return constant
        if code == 0x20:
            value, at = data[constant], at + 1
        else:
            true = {0x15: value == constant, 0x35: value >= constant, 0x45: bool(value & constant)}[code]
            at += 1 + (if_true if true else if_false)


@pytest.mark.parametrize(
    ("machine", "architecture", "calls", "clone"),
    [("x86_64", 0xC000003E, X86_64, 56), ("aarch64", 0xC00000B7, AARCH64, 220)],
)
def test_the_filter_refuses_what_it_lists_and_allows_the_rest(machine, architecture, calls, clone):
    program = filter_program(machine)
    refused = {n for n in range(500) if judge(program, architecture, n, 0) != 0x7FFF0000}
    assert refused >= {*calls.values(), clone, 425, 435, 438}
    assert refused - {*calls.values(), clone} == {*range(424, 436), 438, 442, 447}
    assert judge(program, architecture, clone, 0x10000) == 0x7FFF0000  # a thread
    assert judge(program, architecture, clone, 17) == judge(program, architecture, clone, 0x10000000) == 0x50001
    assert judge(program, architecture, 435, 0x10000) == 0x50026  # clone3 is unknown
    assert judge(program, 0x40000003, 0, 0) == 0x80000000  # another set of system calls
    if machine == "x86_64":
        assert judge(program, architecture, 0x40000000 + 57, 0) == 0x50001


def test_no_filter_for_other_machines():
    with pytest.raises(SandboxError, match="no filter of system calls for mips"):
        filter_program("mips")
