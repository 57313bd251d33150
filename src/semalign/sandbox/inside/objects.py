"""How values that are not plain data are sent: by the number of an object, with what makes a mirror of it."""

from __future__ import annotations

from .classes import PLAIN, Class, data_type, is_data_type, numbered, write_class, write_kind, write_mine, write_theirs
from .containers import BUILTIN, TAGS
from .failures import write_error
from .heap import write_container
from .mirror import Mirror
from .values import ARGUMENTS, name_of_value, write_value
from .wire import READERS, Reader, WireError, Writer, full_name, loaded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any
else:
    Any = object

AWAITABLE = ("coroutine", "async_generator_asend", "async_generator_athrow")


def write_object(writer: Writer, value: Any) -> None:
    """Write a value whose type is not one of plain data."""
    kind = type(value)
    if type(kind) is Mirror or kind is Mirror:
        write_theirs(writer, value)
    elif issubclass(kind, type):
        write_class(writer, value)
    elif (name := full_name(kind)) in TAGS and loaded(name) is kind:
        write_container(writer, TAGS[name], value)
    elif name in ARGUMENTS and name_of_value(value):
        write_value(writer, name, value)
    elif isinstance(value, BaseException) and issubclass(kind, BaseException):
        write_error(writer, value)
    elif (data := data_type(kind)) is not None:
        _write_extended(writer, data, value)
    else:
        write_mine(writer, "w" if kind.__name__ in AWAITABLE else "m", value, lambda: (Class(kind),))


def _write_extended(writer: Writer, data: type, value: Any) -> None:
    """Write an instance of a class that extends a type of plain data: the class, and the plain value."""
    if data in PLAIN:
        write_mine(writer, "n", value, lambda: (Class(type(value)), PLAIN[data](value)))
    elif (shared := writer.end.heap.number(value)) is not None:
        writer.item("h", b"%d" % shared)
    else:
        writer.parts.append(b"n3:")
        writer.write(writer.end.objects.refer(value))
        write_kind(writer, type(value))
        write_container(writer, BUILTIN.get(data) or TAGS[full_name(data)], value)


def _read_object(reader: Reader, count: int) -> Any:
    number, kind = reader.values(count, 2, 2)
    kind = kind if type(kind) is Mirror else reader.end.root
    if kind._data is not None:
        raise WireError("plain data is missing")
    return reader.end.note(number, numbered(object.__new__(kind), number))


def _read_extended(reader: Reader, count: int) -> Any:
    number, kind = reader.values(min(count, 2), 2)
    if type(kind) is not Mirror or kind._data is None or not is_data_type(kind._data):
        raise WireError("no class that extends a builtin type")
    if kind._data in PLAIN:
        made = kind._data.__new__(kind, reader.read())
    else:
        reader.end.pending = kind
        made = reader.read()
    return reader.end.note(number, numbered(made, number))


def _read_awaitable(reader: Reader, count: int) -> Any:
    number, _ = reader.values(count, 2, 2)
    return reader.end.note(number, reader.end.awaiting(numbered(object.__new__(reader.end.root), number)))


READERS.update(
    {
        "m": _read_object,
        "n": _read_extended,
        "w": _read_awaitable,
        "o": lambda reader, count: reader.end.theirs[int(reader.raw(count))],
        "y": lambda reader, count: reader.end.objects.resolve(int(reader.raw(count))),
    }
)
