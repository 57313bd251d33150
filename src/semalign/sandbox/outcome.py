"""The outcome of running a program with its tests."""

import signal
from typing import NamedTuple


class Outcome(NamedTuple):
    """The verdict on one program.

    Attributes:
        passed: whether its tests ran to the end and all succeeded.
        reason: ``passed``; ``assertion`` (a test failed); ``error`` (an exception in the program or the tests);
            ``memory``, ``cpu``, ``timeout`` (the exceeded limit); ``exit`` (it ended before its tests did); ``killed``
            (by a signal); ``output`` (its answer was too large or invalid).
        detail: the exception, signal or limit.
    """

    passed: bool
    reason: str
    detail: str = ""


def last_words(code: int | None) -> Outcome:
    """Return the outcome of a program whose process has stopped answering, from its exit code; None if it lives."""
    if code is None:
        return Outcome(False, "exit", "it closed its connection before its tests ended")
    number = -code if code < 0 else code - 128  # bubblewrap reports a signal as 128 + number, like a shell
    try:
        name = signal.Signals(number).name
    except ValueError:
        return Outcome(False, "exit", f"exit code {code} before its tests ended")
    return Outcome(False, "cpu" if name == "SIGXCPU" else "killed", name)
