"""The process that runs a generated program and answers the requests of its tests.

It never sees the tests, only their requests, and it has no access to the verdict.
"""

from __future__ import annotations

import os
import sys
from _collections_abc import Callable

from .confinement import confine
from .limits import limit
from .wire import decode, encode, frame, receive

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any
else:
    Any = object

READY = b"ready"
SOURCE_LIMIT = 16 * 1024**2


class Objects:
    """The program's objects that are not plain data, by the numbers under which the tests know them."""

    def __init__(self) -> None:
        self._objects: list[Any] = []
        self._numbers: dict[int, int] = {}

    def refer(self, value: Any) -> int:
        """Return the number of an object, and keep the object alive."""
        number = self._numbers.setdefault(id(value), len(self._objects))
        if number == len(self._objects):
            self._objects.append(value)
        return number

    def resolve(self, number: int) -> Any:
        """Return the object with a number."""
        return self._objects[number]


class Program:
    """A program in its own module, and the operations that tests can request."""

    def __init__(self) -> None:
        self.objects = Objects()
        self.module = type(sys)("program")  # dataclasses look up their module by name
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
        """Execute the program's source; return the encoded answer, which holds an exception if it raised one."""
        return self._answer(lambda: self._run(source))

    def reply(self, request: bytes) -> bytes:
        """Perform a request; return the encoded answer."""
        return self._answer(lambda: self._do(request))

    def _run(self, source: bytes) -> tuple[None, dict[int, Any]]:
        exec(compile(source, "<program>", "exec", dont_inherit=True), self.module.__dict__)
        return None, {}

    def _do(self, request: bytes) -> tuple[Any, dict[int, Any]]:
        operation, args, kwargs = decode(request, self.objects.resolve)
        before = [self._encode(argument) for argument in args]
        result = self.operations[operation](*args, **kwargs)
        changed = {i: argument for i, argument in enumerate(args) if self._encode(argument) != before[i]}
        return result, changed  # the tests apply changes of arguments to their own copies

    def _answer(self, action: Callable[[], tuple[Any, dict[int, Any]]]) -> bytes:
        try:
            return self._encode(("value", *action()))
        except BaseException as error:  # also SystemExit, which must not end this process
            return self._encode(("raise", type(error).__name__, _text(error)))

    def _encode(self, value: Any) -> bytes:
        return encode(value, self.objects.refer)


def _text(error: BaseException) -> str:
    try:
        return str(error)[:300]
    except BaseException:
        return ""


def main(cpu_seconds: int, memory: int, **confinement: Any) -> None:
    """Receive a program on standard input, a socket, run it, and answer requests until the other end closes.

    Args:
        cpu_seconds: processor seconds.
        memory: bytes of address space.
        confinement: the arguments of :func:`~semalign.sandbox.inside.confinement.confine`.
    """
    channel = os.dup(0)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    read, write, leave = os.read, os.write, os._exit  # bound before the program can replace them

    def send(data: bytes) -> None:
        data = frame(data)
        while data:
            data = data[write(channel, data) :]

    def take() -> bytes:
        return receive(lambda size: read(channel, size), SOURCE_LIMIT)

    limit(cpu_seconds, memory)
    confine(**confinement)
    send(READY)
    program = Program()
    try:
        send(program.run(take()))
        while True:
            send(program.reply(take()))
    except BaseException:  # the tests are over, or the program closed the channel
        leave(1)
