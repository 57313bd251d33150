"""How the objects of one end are numbered, and how their classes are described to the other end."""

from __future__ import annotations

import sys

from .containers import BUILTIN, TAGS
from .methods import make_mirror
from .mirror import Mirror
from .values import is_type, name_of_type
from .wire import READERS, Reader, WireError, Writer, full_name, loaded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _collections_abc import Callable
    from typing import Any
else:
    Any = object

# Immutable types that a program's class may extend, to a function that returns the plain value. It calls the methods
# of the builtin type, because a class may override them.
PLAIN: dict[type, Callable[[Any], Any]] = {
    int: int.__int__,
    float: float.__pos__,
    complex: complex.__pos__,
    str: str.__str__,
    bytes: lambda x: bytes(memoryview(x)),
    tuple: lambda x: tuple(tuple.__iter__(x)),
    frozenset: lambda x: frozenset(frozenset.__iter__(x)),
}


class Objects:
    """The objects of one end that are not plain data, by the numbers under which the other end knows them."""

    def __init__(self) -> None:
        self._objects: list[Any] = []
        self._numbers: dict[int, int] = {}
        self.sent: set[int] = set()  # numbers of which the other end has a mirror

    def refer(self, value: Any) -> int:
        """Return the number of an object, and keep the object alive."""
        number = self._numbers.setdefault(id(value), len(self._objects))
        if number == len(self._objects):
            self._objects.append(value)
        return number

    def resolve(self, number: int) -> Any:
        """Return the object with a number."""
        if number < 0:
            raise WireError("a negative number")
        return self._objects[number]

    def has(self, value: Any) -> bool:
        """Return whether an object was sent."""
        return id(value) in self._numbers


def data_type(kind: type) -> type | None:
    """Return the builtin type of plain data that a class extends, if any."""
    return next((base for base in kind.__mro__ if is_data_type(base)), None)


def is_data_type(kind: type) -> bool:
    """Return whether a class is one of plain data that other classes may extend."""
    return kind in PLAIN or kind in BUILTIN or (full_name(kind) in TAGS and is_type(kind))


def write_theirs(writer: Writer, value: Any) -> None:
    """Write an object or a class of the other end, or a container that both have."""
    shared = writer.end.heap.number(value)
    if shared is not None:
        writer.item("h", b"%d" % shared)
    else:
        number = value._number_of_class if type(value) is Mirror else value._number
        writer.item("y", b"%d" % number)


def write_mine(writer: Writer, tag: str, value: Any, parts: Callable[[], tuple[Any, ...]]) -> None:
    """Write an object by its number, the first time with ``parts``, by which the other end makes a mirror."""
    objects = writer.end.objects
    number = objects.refer(value)
    if number in objects.sent:
        writer.item("o", b"%d" % number)
        return
    objects.sent.add(number)
    writer.undo.append(lambda: objects.sent.discard(number))
    made_of = parts()
    writer.parts.append(f"{tag}{1 + len(made_of)}:".encode())
    writer.write(number)
    for part in made_of:
        if isinstance(part, Class):
            write_kind(writer, part.kind)
        else:
            writer.write(part)


class Class:
    """A class as part of an item: what is mirrored, and not only named."""

    def __init__(self, kind: type) -> None:
        self.kind = kind


def write_class(writer: Writer, value: Any) -> None:
    """Write a class as a value: by its name if both ends have it."""
    if is_type(value):
        writer.item("c", name_of_type(value).encode())
    else:
        write_kind(writer, value)


def write_kind(writer: Writer, kind: type) -> None:
    """Write the class of an object or of a class: its description, unless mirrors extend the class itself."""
    if type(kind) is Mirror:
        write_theirs(writer, kind)
    elif kind is object or is_data_type(kind) or (issubclass(kind, BaseException) and is_type(kind)):
        writer.item("c", name_of_type(kind).encode())
    else:
        write_mine(writer, "K", kind, lambda: _described(kind))


def _described(kind: type) -> tuple[Any, ...]:
    names = tuple(name for name, part in vars(kind).items() if isinstance(name, str) and part is not None)
    doc = vars(kind).get("__doc__")
    described = kind.__name__, kind.__qualname__, kind.__module__, doc if type(doc) is str else None, names
    return (*described, *map(Class, kind.__bases__))


def _read_class(reader: Reader, count: int) -> Any:
    number, name, path, module, doc, names, *bases = reader.values(count, 7)
    known = _known_error(f"{module}:{path}")
    return reader.end.note(number, known or make_mirror(reader.end, number, name, module, doc, bases, names))


def _known_error(name: str) -> Any:
    """Return an exception of the standard library if this end has imported it too, so that it is caught by name."""
    package = name.partition(":")[0].partition(".")[0]
    known = loaded(name) if package in sys.stdlib_module_names - {"unittest"} else None  # no SkipTest
    is_error = isinstance(known, type) and issubclass(known, BaseException) and full_name(known) == name
    return known if is_error else None


def numbered(value: Any, number: int) -> Any:
    """Give a mirror's instance the number of the object that it stands for."""
    object.__setattr__(value, "_number", number)
    return value


READERS["K"] = _read_class
