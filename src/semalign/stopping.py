"""Stop signals: a command that is told to end does so where nothing is lost.

Batch systems such as Slurm send SIGTERM, or the signal that a job asks for, some time before they kill a job; a user
presses Ctrl-C. The command then ends at once, except inside a :func:`postponed` block, which first keeps its work.
Only the command line handles signals (:func:`handled`): in a program of the user's own they do what they did before.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

BATCH = (signal.SIGTERM, signal.SIGUSR1)  # what batch systems send; either can be started again
SIGNALS = (*BATCH, signal.SIGINT)


class Stopped(BaseException):
    """A batch system told the process to end. What was finished is kept, and the same command goes on from there."""


class _Stop:
    wanted: signal.Signals | None = None  # the first signal that came
    postponed = 0  # number of blocks around the place where the program is


@contextmanager
def handled() -> Iterator[None]:
    """Handle stop signals while the block runs; one that the process was started to ignore stays ignored."""
    owner, before = os.getpid(), {number: signal.getsignal(number) for number in SIGNALS}

    def handle(number: int, frame: FrameType | None) -> None:
        if os.getpid() != owner:  # a child that was forked ends as if there were no handler
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        again, _Stop.wanted = _Stop.wanted is not None, _Stop.wanted or signal.Signals(number)
        # Batch systems send several signals, to several processes, for one stop. Only a second Ctrl-C is in a hurry.
        if number == signal.SIGINT if again else not _Stop.postponed:
            stop()

    try:
        for number, handler in before.items():
            if handler != signal.SIG_IGN:
                signal.signal(number, handle)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _Stop.wanted = None


@contextmanager
def postponed() -> Iterator[None]:
    """Go on after a stop signal while the block runs, which asks :func:`wanted` and ends by :func:`stop`.

    Raises:
        Stopped: at the end of the block, if a batch system's signal has come.
        KeyboardInterrupt: likewise for Ctrl-C; a second Ctrl-C is not postponed.
    """
    _Stop.postponed += 1
    try:
        yield
    finally:
        _Stop.postponed -= 1
    if wanted() and not _Stop.postponed:
        stop()


def wanted() -> bool:
    """Return whether a stop signal has come."""
    return _Stop.wanted is not None


def stop() -> None:
    """Raise the exception of the stop signal that has come: :class:`Stopped`, or ``KeyboardInterrupt`` for Ctrl-C."""
    if _Stop.wanted == signal.SIGINT:
        raise KeyboardInterrupt
    by = "with another process" if _Stop.wanted is None else f"by {_Stop.wanted.name}"
    raise Stopped(f"stopped {by}: the same command goes on with what is finished")
