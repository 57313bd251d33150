"""The process that runs a generated program and answers the requests of its tests.

It never sees the tests, only their requests, and it has no access to the verdict.
"""

from __future__ import annotations

import os
import socket
import sys
from _collections_abc import Callable

from .confinement import confine, settle_worker
from .end import End
from .limits import limit
from .wire import WireError, frame, located, receive
from .worker import READY, forked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any
else:
    Any = object

SOURCE_LIMIT = 16 * 1024**2


class Program(End):
    """A program in its own module, and the operations that tests can request."""

    def __init__(self, send: Callable[[bytes], Any], take: Callable[[], bytes]) -> None:
        super().__init__(send, take, 1)
        self.module = type(sys)("program")  # dataclasses look up their module by name
        sys.modules["program"] = self.module
        self._names: dict[str, Any] = {}  # global names as the tests know them
        self._patched: dict[tuple[str, str], Any] = {}
        self.operations |= {
            "name": self._name,
            "imports": self._imports,
            "library": lambda name, *args, **kwargs: located(name)(*args, **kwargs),
            "patch": self._patch,
        }

    def run(self, source: bytes) -> None:
        """Execute the program's source, and answer; the answer holds an exception if it raised one."""
        try:
            exec(compile(source, "<program>", "exec", dont_inherit=True), self.module.__dict__)
        except BaseException as error:
            self.answer_error(error)
        else:
            self.send("value", None)

    def reply(self) -> None:
        """Take a request, and answer."""
        with self.lock:
            try:
                _, operation, args, kwargs = self.receive()
            except WireError as error:  # of a module that this process cannot import, for example
                self.answer_error(error)
                return
        self.serve(operation, args, kwargs)

    def changes(self) -> list[Any]:
        """Return what changed in shared containers, and the global names that got another value."""
        scope = self.module.__dict__
        changed = [name for name, value in self._names.items() if scope.get(name, self) is not value]
        for name in changed:
            del self._names[name]
        return [*super().changes(), *((name, None) for name in changed)]

    def _name(self, name: str) -> Any:
        value = self._names[name] = self.module.__dict__[name]
        return value

    def _imports(self, name: str) -> bool:
        """Return whether a name of a module means what the module so calls, as after ``from time import time``."""
        value = self.module.__dict__.get(name, self)
        return value is getattr(sys.modules.get(name), name, None)

    def _patch(self, module: str, name: str, *value: Any) -> None:
        """Give a name of a module the tests' value, or its own again."""
        place = __import__(module)
        own = self._patched.setdefault((module, name), getattr(place, name))
        setattr(place, name, value[0] if value else own)


def main(mechanism: str, parent: int, **confinement: Any) -> None:
    """Fork for each program that is announced on standard input, a socket; the child runs it, see :func:`run`.

    Args:
        mechanism: see :mod:`semalign.sandbox.inside.confinement`.
        parent: the number of the process that started this one.
        confinement: further arguments of :func:`~semalign.sandbox.inside.confinement.confine`.
    """
    control = socket.socket(fileno=os.dup(0))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    settle_worker(mechanism, parent)
    own = os.getpid()
    channel, limits = forked(control)
    run(channel, limits, mechanism=mechanism, parent=own, **confinement)


def run(channel: int, limits: list[int], **confinement: Any) -> None:
    """Receive a program from a channel, run it, and answer requests until the other end closes.

    Args:
        channel: a socket, the process's only connection.
        limits: processor seconds and bytes of address space.
        confinement: the arguments of :func:`~semalign.sandbox.inside.confinement.confine`.
    """
    read, write, leave = os.read, os.write, os._exit  # bound before the program can replace them

    def send(data: bytes) -> None:
        while data:
            data = data[write(channel, data) :]

    def take() -> bytes:
        return receive(lambda size: read(channel, size), SOURCE_LIMIT)

    limit(*limits)
    confine(**confinement)
    send(frame(READY))
    program = Program(send, take)
    try:
        program.run(take())
        while True:
            program.reply()
    except BaseException:  # the tests are over, or the program closed the channel
        leave(1)
