"""What became of a program."""

import signal
import subprocess
from typing import NamedTuple

LAST_WORDS = 1.0  # seconds


class Outcome(NamedTuple):
    """Verdict on one program.

    Attributes:
        passed: whether its tests ran to their end and all held.
        reason: ``passed``; ``assertion`` (a test did not hold); ``error`` (an exception of program or tests);
            ``memory``, ``cpu``, ``timeout`` (the limit that it hit); ``exit`` (it left before its tests ended);
            ``killed`` (by a signal); ``output`` (its answer was too large, or none).
        detail: the exception, signal or limit.
    """

    passed: bool
    reason: str
    detail: str = ""


def last_words(process: subprocess.Popen) -> Outcome:
    """Say how a program's process ended that is no longer there to answer."""
    try:
        code = process.wait(LAST_WORDS)
    except subprocess.TimeoutExpired:
        return Outcome(False, "exit", "it hung up before its tests ended")
    number = -code if code < 0 else code - 128  # bubblewrap tells of signals as a shell does
    try:
        name = signal.Signals(number).name
    except ValueError:
        return Outcome(False, "exit", f"exit code {code} before its tests ended")
    return Outcome(False, "cpu" if name == "SIGXCPU" else "killed", name)
