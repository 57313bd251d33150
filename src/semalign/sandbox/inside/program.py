"""The process that runs a generated program. It does as its tests ask, and is believed in nothing but its answers.

It never sees the tests, only the calls they make, and holds nothing that could say "passed".
"""

from __future__ import annotations

import os
import sys
from _collections_abc import Callable

from .limits import limit, limit_threads, start_guard
from .wire import decode, encode, frame, receive

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any
else:
    Any = object

READY = b"ready"
SOURCE_LIMIT = 16 * 1024**2


class Objects:
    """The program's objects that are no plain data, by the numbers that the tests know them by."""

    def __init__(self) -> None:
        self._objects: list[Any] = []
        self._numbers: dict[int, int] = {}

    def refer(self, value: Any) -> int:
        """Return the number of an object, which stays alive from now on."""
        number = self._numbers.setdefault(id(value), len(self._objects))
        if number == len(self._objects):
            self._objects.append(value)
        return number

    def resolve(self, number: int) -> Any:
        """Return the object of a number."""
        return self._objects[number]


class Program:
    """A program in a module of its own, and what tests can ask of it."""

    def __init__(self) -> None:
        self.objects = Objects()
        self.module = type(sys)("program")  # a real module: dataclasses look theirs up by name
        sys.modules["program"] = self.module
        self.operations: dict[str, Callable[..., Any]] = {
            "name": lambda name: self.module.__dict__[name],
            "call": lambda function, *args, **kwargs: function(*args, **kwargs),
            "getattr": getattr,
            "setattr": setattr,
            "getitem": lambda value, key: value[key],
            "len": len,
            "bool": bool,
            "iter": iter,
            "next": next,
        }

    def run(self, source: bytes) -> bytes:
        """Run the program; return the encoded answer, which says what stopped it if anything did."""
        return self._answer(lambda: self._run(source))

    def reply(self, request: bytes) -> bytes:
        """Do what a request asks; return the encoded answer."""
        return self._answer(lambda: self._do(request))

    def _run(self, source: bytes) -> tuple[None, dict[int, Any]]:
        exec(compile(source, "<program>", "exec", dont_inherit=True), self.module.__dict__)
        return None, {}

    def _do(self, request: bytes) -> tuple[Any, dict[int, Any]]:
        operation, args, kwargs = decode(request, self.objects.resolve)
        before = [self._encode(argument) for argument in args]
        result = self.operations[operation](*args, **kwargs)
        changed = {i: argument for i, argument in enumerate(args) if self._encode(argument) != before[i]}
        return result, changed  # the tests see it when a function changes its arguments

    def _answer(self, action: Callable[[], tuple[Any, dict[int, Any]]]) -> bytes:
        try:
            return self._encode(("value", *action()))
        except BaseException as error:  # SystemExit too: the program does not get to say that it is done
            return self._encode(("raise", type(error).__name__, _text(error)))

    def _encode(self, value: Any) -> bytes:
        return encode(value, self.objects.refer)


def _text(error: BaseException) -> str:
    try:
        return str(error)[:300]
    except BaseException:
        return ""


def main(guarded: bool, cpu_seconds: int, memory: int) -> None:
    """Take a program from standard input, a socket, run it, and answer requests about it until the other end goes."""
    channel = os.dup(0)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    read, write, leave = os.read, os.write, os._exit  # as they are before the program can replace them

    def send(data: bytes) -> None:
        data = frame(data)
        while data:
            data = data[write(channel, data) :]

    def take() -> bytes:
        return receive(lambda size: read(channel, size), SOURCE_LIMIT)

    limit(cpu_seconds, memory)
    if guarded:
        start_guard()
    else:
        limit_threads()
    send(READY)
    program = Program()
    try:
        send(program.run(take()))
        while True:
            send(program.reply(take()))
    except BaseException:  # the tests are over, or the program closed the channel
        leave(1)
