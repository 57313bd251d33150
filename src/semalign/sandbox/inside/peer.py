"""The tests' end of the channel. It believes the program what its objects are, and nothing about what they equal.

The program can only ask for what the tests gave it: it can call a function, and read public attributes. It gets no
frame, code or module of the tests, and cannot change what the tests did not define.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from types import (
    BuiltinFunctionType,
    CodeType,
    FrameType,
    FunctionType,
    MethodDescriptorType,
    ModuleType,
    TracebackType,
    WrapperDescriptorType,
)
from typing import Any, NoReturn

from .end import End
from .mirror import Mirror
from .objects import write_object
from .wire import WireError, Writer, loaded, receive

ANSWER_LIMIT = 16 * 1024**2
REFUSED = (FrameType, CodeType, TracebackType)
LIBRARY = (BuiltinFunctionType, FunctionType, MethodDescriptorType, WrapperDescriptorType, ModuleType, type)
READABLE = frozenset({"__name__", "__qualname__", "__doc__", "__module__"})
NOTED = "method_calls"  # what a mock has noted and keeps in itself, not in its class
LENT = ("call", "getattr", "setattr", "delattr", "getitem", "special", "signature", "copy", "deepcopy", "await")
CHANGING = ("setattr", "delattr")


class Broken(BaseException):
    """The program's process ended early or sent an invalid answer; a BaseException, which tests do not catch."""


class Peer(End):
    """The program's process as the tests see it."""

    trusting = False

    def __init__(self, channel: socket.socket) -> None:
        super().__init__(channel.sendall, lambda: receive(channel.recv, ANSWER_LIMIT), 0)
        self.broken: tuple[str, str] | None = None
        self.rebound: Callable[[str], None] = lambda name: None  # called when the program changes a global name
        self.patches: Any = None
        self._raised: BaseException | None = None

    def started(self) -> None:
        """Wait until the program's source has been executed; raise its exception if there was one."""
        self._answered("run", ())

    def ask(self, operation: str, *args: Any, **kwargs: Any) -> Any:
        """Request an operation from the program, after telling it what the tests have patched."""
        if self.patches is not None and operation != "patch":
            self.patches.send()
        return super().ask(operation, *args, **kwargs)

    def send(self, *parts: Any) -> None:
        try:
            super().send(*parts)
        except OSError:
            self._break("gone", "")  # the parent process knows how it ended

    def receive(self) -> tuple[Any, ...]:
        try:
            return super().receive()
        except (EOFError, OSError):
            self._break("gone", "")
        except (WireError, MemoryError) as error:
            self._break("output", f"an invalid answer: {error}".rstrip(": "))

    def invalid(self, problem: str) -> NoReturn:
        self._break("output", problem)

    def apply(self, name: Any, change: Any) -> None:
        if isinstance(name, str):
            self.rebound(name)
        else:
            super().apply(name, change)

    def raise_error(self, error: BaseException, operation: str) -> NoReturn:
        """Raise an exception of the program, unless tests must not catch it."""
        # A StopIteration of a function would silently end a loop of the tests, for example over map().
        ends = isinstance(error, (StopIteration, StopAsyncIteration)) and operation not in ("__next__", "await")
        if ends or not isinstance(error, Exception) or _skips(error):
            self._break("exit" if isinstance(error, SystemExit) else "error", described(error))
        self._raised = error
        raise error

    def perform(self, operation: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Perform what the program asks of an object that the tests gave it.

        A failing assert in a function of the tests fails the tests, although the program could catch it.
        """
        target, *rest = args[1:] if operation == "special" else args
        if operation not in LENT or not self.objects.has(target) or (operation == "call" and _is_library_class(target)):
            raise PermissionError(f"a program may not ask for {operation}")
        if operation.endswith("attr") and not self._may_access(operation, target, *rest):
            raise AttributeError(f"{type(target).__name__!r} object has no attribute {rest[0]!r}")
        try:
            return super().perform(operation, args, kwargs)
        except Exception as error:
            if error is not self._raised and _failed(error):
                self._break("assertion", described(error))
            raise

    def _may_access(self, operation: str, target: Any, name: Any, *rest: Any) -> bool:
        if operation in CHANGING:
            own = target if isinstance(target, type) else type(target)
            return own.__module__ == "tests" and not name.startswith("_") and not _is_fixed(target, own, name)
        if _belongs_to_unittest(target, name):
            return False
        return not name.startswith("_") or name in READABLE

    def answer_error(self, error: BaseException) -> None:
        if not isinstance(error, Exception):
            raise error
        super().answer_error(error)

    def write_other(self, writer: Writer, value: Any) -> None:
        if issubclass(type(value), REFUSED):
            raise TypeError(f"tests cannot give a program a {type(value).__name__}")
        if issubclass(type(value), LIBRARY) and type(value) is not Mirror and (name := _library_name(value)):
            writer.item("c", name.encode())
        else:
            write_object(writer, value)

    def _break(self, reason: str, detail: str) -> NoReturn:
        self.broken = self.broken or (reason, detail)
        raise Broken


def _is_fixed(target: Any, own: type, name: str) -> bool:
    """Return whether the tests may rely on an attribute: what a class has already, and the methods of its instances."""
    present = next((vars(base)[name] for base in own.__mro__ if name in vars(base)), None)
    if target is own:
        return name in dir(own)
    return callable(present) or isinstance(present, (classmethod, staticmethod))


def _belongs_to_unittest(target: Any, name: str) -> bool:
    """Return whether an attribute is one by which a mock or a test case judges: what it has noted, its assertions."""
    bases = [vars(base) for base in type(target).__mro__ if base.__module__.partition(".")[0] == "unittest"]
    return any(name in base for base in bases) or (bool(bases) and name == NOTED)


def _is_library_class(value: Any) -> bool:
    """Return whether a value is a class that the tests did not define, but gave an instance of."""
    return isinstance(value, type) and (value.__module__ == "builtins" or _library_name(value) != "")


def _failed(error: BaseException) -> bool:
    """Return whether an exception is, or holds, that of a failed assert."""
    if isinstance(error, BaseExceptionGroup):
        return error.subgroup(AssertionError) is not None
    return isinstance(error, AssertionError)


def _skips(error: BaseException) -> bool:
    """Return whether an exception makes unittest skip a test."""
    return any((kind.__module__, kind.__name__) == ("unittest.case", "SkipTest") for kind in type(error).__mro__)


def _library_name(value: Any) -> str:
    """Return the full name of a module, class or function of the standard library, by which a program finds its own."""
    if isinstance(value, ModuleType):
        module, name = value.__name__, ""
    else:
        owner = value if getattr(value, "__module__", None) else getattr(value, "__objclass__", None)
        module, name = str(getattr(owner, "__module__", "")), str(getattr(value, "__qualname__", ""))
    full = f"{module}:{name}"
    return full if module.partition(".")[0] in sys.stdlib_module_names and loaded(full) is value else ""


def described(error: BaseException) -> str:
    """Return the name and the text of an exception, whose text may be the program's affair."""
    name = type(error).__name__
    try:
        return f"{name}: {error}".rstrip(": ")
    except Broken:
        raise
    except Exception:
        return name
