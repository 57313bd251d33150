"""Mirrors: classes that stand at one end of the channel for the classes of the other.

An object that is not plain data stays in its process. At the other end stands an instance of a mirror of its class,
which has those special methods that the class has, and each asks the process of the object. The mirror of a class that
extends a builtin type extends it too: so ``except ValueError`` catches a program's own error, and a named tuple is a
tuple, compared as plain data.

At the tests' end, a mirror is strict, so that an object in place of an answer cannot pass for the answer. The program
must never get what it is compared with: ``==``, ``<`` and ``in`` between an object and plain data are decided without
it, two objects are equal if their attributes are, and arithmetic with plain data must give an object that is no number.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any
else:
    Any = object


class Mirror(type):
    """The class of mirrors. What is done with a mirror is done with the class that it stands for."""

    def __new__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> Any:
        if any(type(base) is Mirror and base is not Remote for base in bases):
            raise TypeError(f"{name} extends a class of the other process, which is not possible here")
        return type.__new__(cls, name, bases, namespace)

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        return cls._end.ask("call", cls, *args, **kwargs)

    def __getattr__(cls, name: str) -> Any:
        if name == "__signature__":
            return cls._end.signature(cls)
        return cls._end.ask("getattr", cls, name)

    def __setattr__(cls, name: str, value: Any) -> None:
        cls._end.ask("setattr", cls, name, value)

    def __getitem__(cls, key: Any) -> Any:
        return cls._end.ask("getitem", cls, key)

    def __iter__(cls) -> Any:
        return cls._end.ask("special", "__iter__", cls)

    def __len__(cls) -> int:
        return cls._end.ask("special", "__len__", cls)

    def __contains__(cls, value: Any) -> bool:
        return contains(cls, value)

    def __bool__(cls) -> bool:
        return True


class Remote(metaclass=Mirror):
    """An object of the other process. It equals only itself unless its class says otherwise."""

    _end: Any = None
    _data: type | None = None

    def __getattr__(self, name: str) -> Any:
        if name in ("_number", "_mixed"):  # while it is being made
            raise AttributeError(name)
        if name == "__signature__":
            return self._end.signature(self)
        return self._end.ask("getattr", self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("__"):  # Python's own, such as an exception's __traceback__
            object.__setattr__(self, name, value)
        else:
            self._end.ask("setattr", self, name, value)

    def __delattr__(self, name: str) -> None:
        self._end.ask("delattr", self, name)

    def __repr__(self) -> str:
        return self._end.ask("special", "__repr__", self)

    def __str__(self) -> str:
        return self._end.ask("special", "__str__", self)

    def __format__(self, spec: str) -> str:
        refuse_if_mixed(self)
        return self._end.ask("special", "__format__", self, spec)

    def __copy__(self) -> Any:
        return _marked_as(self, self._end.ask("copy", self))

    def __deepcopy__(self, memo: Any) -> Any:
        return _marked_as(self, self._end.ask("deepcopy", self))


def is_remote(value: Any) -> bool:
    """Return whether a value is an object of the other process, or one of its classes."""
    return type(type(value)) is Mirror or type(value) is Mirror


class Doc:
    """The documentation: of a class as it was sent, of an object as the other process gives it."""

    def __init__(self, text: str | None) -> None:
        self.text = text

    def __get__(self, value: Any, kind: type) -> str | None:
        return self.text if value is None else value._end.ask("getattr", value, "__doc__")


def refuse_if_mixed(value: Any) -> None:
    """Raise a TypeError if an object was computed with the tests' data."""
    if "_mixed" in vars(value):
        raise TypeError("an object of the program that was computed with the tests' data has attributes only")


def _marked_as(value: Any, copied: Any) -> Any:
    """Return a copy of an object, marked as computed with the tests' data if the object is."""
    if "_mixed" in vars(value) and is_remote(copied):
        object.__setattr__(copied, "_mixed", True)
    return copied


def contains(self: Any, value: Any) -> bool:
    """Return whether an object contains a value; with plain data, this end compares what the object gives."""
    if is_remote(value):
        return self._end.ask("special", "__contains__", self, value)
    return any(each is value or each == value for each in self)
