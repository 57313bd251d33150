"""What tests change in the standard library of their process, and the program has to see in its own.

Tests capture what a program prints, feed its ``input()``, set ``sys.argv`` or seed ``random``. Before each request, the
names of ``WATCHED`` that the tests have replaced are replaced in the program's process too; calls of ``SHARED`` are
made in both; and functions of ``REMOTE`` run in the program's process when they are given its objects.
"""

from __future__ import annotations

import functools
import io
import sys
from collections.abc import Callable
from typing import Any

from .mirror import is_remote
from .peer import Peer
from .wire import located

WATCHED = tuple(
    f"{module}:{name}"
    for module, names in {
        "builtins": "input open print",
        "sys": "argv stderr stdin stdout",
        "time": "monotonic perf_counter sleep time",
        "random": "choice choices randint random randrange sample shuffle uniform",
    }.items()
    for name in names.split()
)
SHARED = ("random:seed", "sys:setrecursionlimit")
REMOTE = (
    "dataclasses:asdict",
    "dataclasses:astuple",
    "dataclasses:fields",
    "dataclasses:is_dataclass",
    "dataclasses:replace",
    "inspect:isasyncgenfunction",
    "inspect:iscoroutinefunction",
    "inspect:isgeneratorfunction",
)


class Patches:
    """Keeps the program's process informed of what the tests replace."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        sys.stdin = io.StringIO()  # this process's own belongs to those who run it
        self._places = [(located(name.partition(":")[0] + ":"), *name.split(":")) for name in WATCHED]
        self._own = self._seen = self._now()
        for name in SHARED:
            _replace(name, self._shared)
        for name in REMOTE:
            _replace(name, self._remote)

    def _now(self) -> list[Any]:
        return [vars(module)[name] for module, _, name in self._places]

    def send(self) -> None:
        """Tell the program's process what the tests have replaced since the last request."""
        now, seen = self._now(), self._seen
        self._seen = now
        for place, new, old, own in zip(self._places, now, seen, self._own, strict=True):
            if new is not old:
                self._peer.ask("patch", *place[1:], *(() if new is own else (new,)))

    def _shared(self, name: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        self._peer.ask("library", name, *args, **kwargs)
        return function(*args, **kwargs)

    def _remote(self, name: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if args and is_remote(args[0]):
            return self._peer.ask("library", name, *args, **kwargs)
        return function(*args, **kwargs)


def _replace(name: str, by: Callable[..., Any]) -> None:
    module, _, short = name.partition(":")
    function = located(name)

    @functools.wraps(function)
    def replaced(*args: Any, **kwargs: Any) -> Any:
        return by(name, function, *args, **kwargs)

    setattr(located(f"{module}:"), short, replaced)
