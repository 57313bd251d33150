"""How a program ended, told from the exit code of its process."""

import signal

import pytest

from semalign.sandbox.outcome import Outcome, last_words


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (3, Outcome(False, "exit", "exit code 3 before its tests ended")),
        (0, Outcome(False, "exit", "exit code 0 before its tests ended")),
        (-signal.SIGKILL, Outcome(False, "killed", "SIGKILL")),
        (-signal.SIGXCPU, Outcome(False, "cpu", "SIGXCPU")),
        (128 + signal.SIGXCPU, Outcome(False, "cpu", "SIGXCPU")),  # as bubblewrap tells it
        (128 + signal.SIGSEGV, Outcome(False, "killed", "SIGSEGV")),
        (None, Outcome(False, "exit", "it closed its connection before its tests ended")),
    ],
)
def test_the_exit_code_says_why(code, expected):
    assert last_words(code) == expected
