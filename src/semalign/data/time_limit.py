"""A limit on what a foreign pattern or template may compute, since both can be written so that they never end."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class _Expired(BaseException):
    """Raised in the block; no ``except Exception`` of the code that runs there catches it."""


def _stop(*_: Any) -> None:
    raise _Expired


@contextmanager
def time_limit(what: str, seconds: float = 5.0) -> Iterator[None]:
    """Stop the block after some seconds of computation.

    The process' own computation counts, so that a machine on which others are busy does not stop what ends. The limit
    is a signal, which also interrupts a regular expression. Only the main thread of a process receives signals: in
    another thread there is no limit.

    Args:
        what: what takes its time, the first words of the message.
        seconds: how long it may compute.

    Raises:
        ValueError: if the block does not end in time.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGVTALRM, _stop)
    outer, interval = signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    except _Expired:
        raise ValueError(f"{what} does not end within {seconds:g} s: it is damaged or made to hang") from None
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, outer, interval)
        signal.signal(signal.SIGVTALRM, previous)
