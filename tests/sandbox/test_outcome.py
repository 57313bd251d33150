"""How a program ended, told from what its process left behind."""

import subprocess
import sys

import pytest

from semalign.sandbox import outcome
from semalign.sandbox.outcome import Outcome, last_words


def process_that(code):
    return subprocess.Popen([sys.executable, "-c", f"import os, signal, time\n{code}"])


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("os._exit(3)", Outcome(False, "exit", "exit code 3 before its tests ended")),
        ("os._exit(0)", Outcome(False, "exit", "exit code 0 before its tests ended")),
        ("os.kill(os.getpid(), signal.SIGKILL)", Outcome(False, "killed", "SIGKILL")),
        ("os.kill(os.getpid(), signal.SIGXCPU)", Outcome(False, "cpu", "SIGXCPU")),
        ("os._exit(128 + signal.SIGXCPU)", Outcome(False, "cpu", "SIGXCPU")),  # as bubblewrap tells it
        ("os._exit(128 + signal.SIGSEGV)", Outcome(False, "killed", "SIGSEGV")),
    ],
)
def test_the_exit_code_says_why(code, expected):
    assert last_words(process_that(code)) == expected


def test_a_process_that_lives_has_hung_up(monkeypatch):
    monkeypatch.setattr(outcome, "LAST_WORDS", 0.01)
    process = process_that("time.sleep(60)")
    try:
        assert last_words(process) == Outcome(False, "exit", "it closed its connection before its tests ended")
    finally:
        process.kill()
        process.wait()
