"""The wire format between a program and its tests: frames that hold one value, rebuilt from built-in types.

There is no pickle and no eval: a frame can only describe values. An item is a tag, a decimal count, a colon, and then
that many bytes or items: ``t2:i1:5u2:ab`` is ``(5, "ab")``. This module knows immutable plain data; the modules
``values``, ``heap``, ``objects`` and ``failures`` add their types to ``WRITERS`` and their tags to ``READERS``.
"""

from __future__ import annotations

import builtins
import sys
from _collections_abc import Callable

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing typing or collections takes as long as starting the interpreter
    from typing import Any
else:
    Any = object

CONSTANTS = {"N": None, "T": True, "F": False, "E": Ellipsis, "U": NotImplemented}
SEQUENCES = {"t": tuple, "z": frozenset}


class WireError(ValueError):
    """Bytes that do not encode a value, or a value that cannot be sent."""


class Writer:
    """Encodes values; ``end`` is the end of the channel that sends them, with its objects and shared containers."""

    def __init__(self, end: Any) -> None:
        self.end = end
        self.parts: list[bytes] = []
        self.undo: list[Callable[[], Any]] = []  # to be called if the message is not sent

    def write(self, value: Any) -> None:
        WRITERS.get(type(value), write_other)(self, value)

    def item(self, tag: str, payload: bytes) -> None:
        self.parts.append(b"%s%d:%s" % (tag.encode(), len(payload), payload))

    def items(self, tag: str, *values: Any) -> None:
        """Write a composite item of values that are already known."""
        self.parts.append(f"{tag}{len(values)}:".encode())
        for value in values:
            self.write(value)


class Reader:
    """Decodes the values of a frame for ``end``."""

    def __init__(self, data: bytes, end: Any) -> None:
        self.data, self.position, self.end = data, 0, end

    def read(self) -> Any:
        start, data = self.position, self.data
        colon = data.index(b":", start, start + 22)
        self.position = colon + 1
        count = int(data[start + 1 : colon])
        if count < 0:
            raise WireError("a negative count")
        return READERS[chr(data[start])](self, count)

    def raw(self, count: int) -> bytes:
        """Return the next bytes."""
        start = self.position
        self.position = end = start + count
        if end > len(self.data):
            raise WireError("it ends too early")
        return self.data[start:end]

    def values(self, count: int, least: int = 0, most: int = 2**62) -> list[Any]:
        """Return the next values, of which there must be between ``least`` and ``most``."""
        if not least <= count <= most:
            raise WireError(f"{count} values")
        return [self.read() for _ in range(count)]


def encode(value: Any, end: Any = None) -> bytes:
    """Return the encoding of ``value``, which ``end`` sends."""
    writer = Writer(end)
    writer.write(value)
    return b"".join(writer.parts)


def decode(data: bytes, end: Any = None) -> Any:
    """Return the value that ``data`` encodes, which ``end`` receives.

    Raises:
        WireError: if ``data`` is not the encoding of one value.
    """
    reader = Reader(data, end)
    try:
        value = reader.read()
    except (ArithmeticError, AttributeError, ImportError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise WireError(f"not a value: {type(error).__name__}: {error}") from None
    if reader.position != len(data):
        raise WireError("not one value")
    return value


def write_other(writer: Writer, value: Any) -> None:
    """Write a value whose type has no writer: the end of the channel decides how."""
    if writer.end is None:
        raise WireError(f"values of type {type(value).__name__} cannot be sent")
    writer.end.write_other(writer, value)


def _sequence(tag: str) -> Callable[[Writer, Any], None]:
    def write(writer: Writer, value: Any) -> None:
        writer.parts.append(f"{tag}{len(value)}:".encode())
        for part in value:
            WRITERS.get(type(part), write_other)(writer, part)

    return write


# The type of a value to a function that writes it. Subclasses are not looked up here: they may override methods.
WRITERS: dict[type, Callable[[Writer, Any], None]] = {
    int: lambda writer, value: writer.item("i", b"%x" % value),
    float: lambda writer, value: writer.item("f", value.hex().encode()),
    str: lambda writer, value: writer.item("u", value.encode("utf-8", "surrogatepass")),
    bytes: lambda writer, value: writer.item("b", value),
    bool: lambda writer, value: writer.parts.append(b"T0:" if value else b"F0:"),
    type(None): lambda writer, value: writer.parts.append(b"N0:"),
    type(Ellipsis): lambda writer, value: writer.parts.append(b"E0:"),
    type(NotImplemented): lambda writer, value: writer.parts.append(b"U0:"),
    **{kind: _sequence(tag) for tag, kind in SEQUENCES.items()},
}

# A tag to a function that reads an item, given its count.
READERS: dict[str, Callable[[Reader, int], Any]] = {
    "i": lambda reader, count: int(reader.raw(count), 16),
    "f": lambda reader, count: float.fromhex(reader.raw(count).decode()),
    "u": lambda reader, count: reader.raw(count).decode("utf-8", "surrogatepass"),
    "b": lambda reader, count: reader.raw(count),
    "t": lambda reader, count: tuple(reader.values(count)),
    "z": lambda reader, count: frozenset(reader.values(count)),
    **{tag: lambda reader, count, constant=constant: constant for tag, constant in CONSTANTS.items()},  # type: ignore[misc]
}


def located(name: str) -> Any:
    """Return the object ``module:qualified.name``, importing its module."""
    module, _, path = name.partition(":")
    value = builtins if module == "builtins" else __import__(module, fromlist=["_"])
    for part in path.split(".") if path else ():
        value = getattr(value, part)
    return value


def loaded(name: str) -> Any:
    """Return the object ``module:qualified.name`` if its module has been imported, else None."""
    if sys.modules.get(name.partition(":")[0]) is None:
        return None
    try:
        return located(name)
    except (AttributeError, ImportError):
        return None


def full_name(value: Any) -> str:
    """Return ``module:qualified.name`` of a class or function, as it says itself."""
    return f"{value.__module__}:{value.__qualname__}"


def frame(data: bytes) -> bytes:
    """Return ``data`` preceded by its length in eight bytes."""
    return len(data).to_bytes(8, "big") + data


def receive(read: Callable[[int], bytes], limit: int) -> bytes:
    """Return the next frame; ``read(n)`` returns at most n bytes, and none at the end.

    Raises:
        EOFError: if the data end before the frame does.
        WireError: for a frame of more than ``limit`` bytes.
    """
    length = int.from_bytes(_exactly(8, read), "big")
    if length > limit:
        raise WireError(f"more than {limit} bytes")
    return _exactly(length, read)


def _exactly(length: int, read: Callable[[int], bytes]) -> bytes:
    parts = []
    while length > 0:
        part = read(min(length, 1 << 20))
        if not part:
            raise EOFError
        parts.append(part)
        length -= len(part)
    return b"".join(parts)
