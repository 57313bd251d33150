"""One end of the channel between a program and its tests: it asks the other end, and answers what that asks meanwhile.

While one end waits for an answer, the other may ask in turn: a program calls a function of the tests, which calls the
program. A message is a tuple: ``("ask", operation, args, kwargs, changes)``, ``("value", value, changes)``,
``("same", index, changes)`` for an argument that comes back, or ``("raise", exception, changes)``.
"""

from __future__ import annotations

import _thread
from _collections_abc import Callable

from .classes import Objects, is_data_type
from .heap import Heap
from .mirror import Mirror, Remote
from .objects import write_object
from .operations import OPERATIONS, made_signature
from .wire import WireError, Writer, decode, frame

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn
else:
    Any = NoReturn = object

DEPTH = 60  # calls between the two ends inside each other; each takes about ten of Python's 1000


class End:
    """One end; ``send`` and ``take`` pass frames on, ``first`` is 0 at one end and 1 at the other.

    Attributes:
        trusting: whether the other end decides all that is asked of its objects, including what they equal.
    """

    trusting = True

    def __init__(self, send: Callable[[bytes], Any], take: Callable[[], bytes], first: int) -> None:
        self._send_frame, self._take_frame = send, take
        self.lock = _thread.RLock()  # threads of a program may ask at the same time
        self.heap, self.objects = Heap(first), Objects()
        self.theirs: dict[int, Any] = {}  # mirrors by the other end's numbers
        self.root = type.__new__(Mirror, "object", (Remote,), {"_end": self, "_number_of_class": -1})
        self.pending: Any = None
        self._depth = 0
        self.operations: dict[str, Callable[..., Any]] = dict(OPERATIONS)

    def ask(self, operation: str, *args: Any, **kwargs: Any) -> Any:
        """Request an operation from the other end; return its value or raise its exception."""
        with self.lock:
            if self._depth >= DEPTH:
                raise RecursionError("too many calls between the program and its tests inside each other")
            _headroom(40)
            self._depth += 1
            try:
                self.send("ask", operation, args, tuple(kwargs.items()))
                return self._answered(args[0] if operation == "special" else operation, args)
            finally:
                self._depth -= 1

    def _answered(self, operation: str, args: tuple[Any, ...]) -> Any:
        while True:
            match self.receive():
                case ("value", value):
                    return value
                case ("same", int(index)) if 0 <= index < len(args):
                    return args[index]
                case ("raise", BaseException() as error):
                    self.raise_error(error, operation)
                case ("ask", str(asked), tuple(parts), tuple(named)):
                    self.serve(asked, parts, named)
                case _:
                    self.invalid("an answer in the wrong form")

    def serve(self, operation: str, args: tuple[Any, ...], kwargs: tuple[tuple[str, Any], ...]) -> None:
        """Perform an operation that the other end asks for, and answer."""
        try:
            result = self.perform(operation, args, dict(kwargs))
        except BaseException as error:
            self.answer_error(error)
            return
        index = next((i for i, argument in enumerate(args) if argument is result), None)
        try:
            if index is None or result is None:
                self.send("value", result)
            else:
                self.send("same", index)
        except (RecursionError, MemoryError, TypeError, WireError) as error:
            self.answer_error(error)

    def perform(self, operation: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Perform an operation."""
        return self.operations[operation](*args, **kwargs)

    def answer_error(self, error: BaseException) -> None:
        """Answer with an exception, including SystemExit, which must not end this process."""
        try:
            self.send("raise", error)
        except (RecursionError, TypeError, WireError) as problem:  # it holds what cannot be sent
            self.send("raise", type(problem)(str(problem)))
        error.__traceback__ = None  # its frames would keep all their variables

    def raise_error(self, error: BaseException, operation: str) -> NoReturn:
        """Raise an exception of the other end."""
        raise error

    def invalid(self, problem: str) -> NoReturn:
        """Handle a message that is none."""
        raise WireError(problem)

    def send(self, *parts: Any) -> None:
        """Send a message, with what changed in shared containers."""
        writer = Writer(self)
        writer.parts.append(b"t%d:" % (len(parts) + 1))
        try:
            for part in parts:
                writer.write(part)
            writer.write(tuple(self.changes()))
        except BaseException:
            for undo in writer.undo:
                undo()
            raise
        with self.lock:
            self._send_frame(frame(b"".join(writer.parts)))

    def receive(self) -> tuple[Any, ...]:
        """Return the next message, after the changes that it carries were made."""
        message = decode(self._take_frame(), self)
        if not (isinstance(message, tuple) and message and isinstance(message[-1], tuple)):
            raise WireError("no message")
        try:
            for name, change in message[-1]:
                self.apply(name, change)
        except (LookupError, TypeError, ValueError) as error:
            raise WireError(f"not a change: {error}") from None
        return message[:-1]

    def changes(self) -> list[Any]:
        """Return the changes to send with a message."""
        return self.heap.changes()

    def apply(self, name: Any, change: Any) -> None:
        """Apply a change that came with a message."""
        self.heap.apply(name, change)

    def write_other(self, writer: Writer, value: Any) -> None:
        """Write a value that is not plain data."""
        write_object(writer, value)

    def note(self, number: int, value: Any) -> Any:
        """Remember the mirror of an object of the other end."""
        if type(number) is not int:
            raise WireError("an object without a number")
        self.theirs[number] = value
        return value

    def new_container(self, kind: type, made_with: tuple[Any, ...]) -> Any:
        """Return an empty container, of a mirror's class if one waits for it."""
        if self.pending is None:
            return kind(*made_with)
        mirror, self.pending = self.pending, None
        if not issubclass(mirror, kind):
            raise WireError("a container of another kind")
        value = kind.__new__(mirror, *made_with)
        vars(kind)["__init__"](value, *made_with)
        return value

    def may_extend(self, base: Any) -> bool:
        """Return whether a mirror may extend a class."""
        return isinstance(base, type) and (issubclass(base, BaseException) or is_data_type(base))

    def signature(self, function: Any) -> Any:
        """Return the signature of a function of the other end."""
        return made_signature(*self.ask("signature", function))

    def awaiting(self, awaitable: Any) -> Any:
        """Return a coroutine that waits for an awaitable of the other end."""

        async def wait() -> Any:
            return self.ask("await", awaitable)

        return wait()


def _headroom(frames: int) -> None:
    """Raise a RecursionError now if there is no room for so many calls: after a request is sent, it would be lost."""
    if frames:
        _headroom(frames - 1)
