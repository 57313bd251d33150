"""Examining a program: a sandbox that fails is an error, never a verdict."""

import shutil
import sys

import pytest

from semalign.sandbox import SandboxError, run_tests
from semalign.sandbox.examiner import Examiner, Limits
from semalign.sandbox.isolation import stop

RIGHT = "def double(x):\n    return 2 * x\n"
TESTS = "assert double(2) == 4\nassert double(-1) == -2\n"


def test_tests_whose_process_is_gone_are_no_verdict(mode):
    with Examiner(mode, Limits()) as examiner:
        assert examiner.examine(RIGHT, TESTS).passed  # so that all has started
        stop(examiner._process)
        assert examiner._server.recv(1) == b""  # what bubblewrap started dies a moment after it
        with pytest.raises(SandboxError, match="the process that runs the tests is gone"):
            examiner.examine(RIGHT, TESTS)


def test_a_sandbox_that_does_not_start_is_no_verdict(monkeypatch):
    monkeypatch.setattr(sys, "executable", shutil.which("true"))
    with pytest.raises(SandboxError, match="did not start"):
        run_tests(RIGHT, TESTS, mode="limits")
