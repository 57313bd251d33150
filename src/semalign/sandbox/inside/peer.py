"""The tests' side of the connection: proxies for the program's objects, which exchange plain data."""

from __future__ import annotations

import builtins
import socket
from collections.abc import Iterator
from typing import Any, NoReturn

from .wire import WireError, decode, encode, frame, receive

ANSWER_LIMIT = 16 * 1024**2


class Broken(BaseException):
    """The program's process ended early or sent an invalid answer; a BaseException, which tests do not catch."""


class Peer:
    """The program's process as the tests see it."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._handles: dict[int, Handle] = {}
        self.broken: tuple[str, str] | None = None

    def ask(self, operation: str, *args: Any, **kwargs: Any) -> Any:
        """Request an operation from the program's process; return its value or raise its exception."""
        request = encode((operation, args, kwargs), _number)
        return self._answered(self._exchange(request), operation, args)

    def started(self) -> None:
        """Wait until the program's source has been executed; raise its exception if there was one."""
        self._answered(self._exchange(None), "run", ())

    def _exchange(self, request: bytes | None) -> Any:
        try:
            if request is not None:
                self._channel.sendall(frame(request))
            return decode(receive(self._channel.recv, ANSWER_LIMIT), self._resolve)
        except (EOFError, OSError):
            self._break("gone", "")  # the parent process knows how it ended
        except (WireError, MemoryError) as error:
            self._break("output", f"an invalid answer: {error}".rstrip(": "))

    def _answered(self, answer: Any, operation: str, args: tuple[Any, ...]) -> Any:
        match answer:
            case ("value", value, dict(changed)):
                for index, new in changed.items():
                    _update(args, index, new)
                return value
            case ("raise", str(name), str(text)):
                self._raise(name, text, operation)
        self._break("output", "an answer in the wrong form")

    def _raise(self, name: str, text: str, operation: str) -> NoReturn:
        kind, said = vars(builtins).get(name), f"{name}: {text}".rstrip(": ")
        if not (isinstance(kind, type) and issubclass(kind, Exception)):
            self._break("exit" if name == "SystemExit" else "error", said)
        if (
            kind is StopIteration and operation != "next"
        ):  # it would silently end a loop of the tests, for example over map()
            self._break("error", said)
        try:
            error = kind(text) if text else kind()
        except TypeError:  # its constructor needs other arguments
            error = RuntimeError(said)
        raise error

    def _break(self, reason: str, detail: str) -> NoReturn:
        self.broken = self.broken or (reason, detail)
        raise Broken

    def _resolve(self, number: int) -> Handle:
        return self._handles.setdefault(number, Handle(self, number))


class Handle:
    """A proxy for an object in the program's process. It equals only itself, even if the program defines ``__eq__``."""

    __slots__ = ("_number", "_peer")

    def __init__(self, peer: Peer, number: int) -> None:
        object.__setattr__(self, "_peer", peer)
        object.__setattr__(self, "_number", number)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._peer.ask("getattr", self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._peer.ask("setattr", self, name, value)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._peer.ask("call", self, *args, **kwargs)

    def __getitem__(self, key: Any) -> Any:
        return self._peer.ask("getitem", self, key)

    def __len__(self) -> int:
        return self._peer.ask("len", self)

    def __bool__(self) -> bool:
        return self._peer.ask("bool", self)

    def __iter__(self) -> Iterator[Any]:
        return self._peer.ask("iter", self)

    def __next__(self) -> Any:
        return self._peer.ask("next", self)


def _number(value: Any) -> int:
    if isinstance(value, Handle):
        return value._number
    raise TypeError(f"tests can give a program plain data and its own objects, not a {type(value).__name__}")


def _update(args: tuple[Any, ...], index: Any, new: Any) -> None:
    """Apply a change that the program made to its copy of an argument."""
    old = args[index]
    if isinstance(old, (list, bytearray)):
        old[:] = new
    elif isinstance(old, (dict, set)):
        old.clear()
        old.update(new)
