"""The wire format between a program and its tests: frames of plain data, decoded to built-in types.

There is no pickle and no eval: a frame can only describe values. An object that is not plain data stays in its process
and is sent as a number. An instance of a subclass arrives as its built-in base type, without the subclass's methods.

An item is a tag, a decimal count, a colon, and then that many bytes or items: ``l2:i1:5u2:ab`` is ``[5, "ab"]``.
"""

from __future__ import annotations

import builtins
from _collections_abc import Callable, Iterator

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing typing or collections takes as long as starting the interpreter
    from typing import Any
else:
    Any = object

CONSTANTS = {"N": None, "T": True, "F": False, "E": Ellipsis}
SEQUENCES = {"l": list, "t": tuple, "s": set, "z": frozenset}
# Standard library types that are sent as constructor arguments: (module, name) to a function that returns them.
RICH: dict[tuple[str, str], Callable[[Any], tuple[Any, ...]]] = {
    ("builtins", "range"): lambda x: (x.start, x.stop, x.step),
    ("builtins", "complex"): lambda x: (x.real, x.imag),
    ("collections", "deque"): lambda x: (list(x), x.maxlen),
    ("decimal", "Decimal"): lambda x: (str(x),),
    ("fractions", "Fraction"): lambda x: (x.numerator, x.denominator),
}


class WireError(ValueError):
    """Bytes that do not encode a value, or a value that cannot be sent."""


def encode(value: Any, refer: Callable[[Any], int]) -> bytes:
    """Return the encoding of ``value``; ``refer`` returns the number of an object that is not plain data."""
    return b"".join(_parts(value, refer))


def _parts(value: Any, refer: Callable[[Any], int]) -> Iterator[bytes]:
    for tag, constant in CONSTANTS.items():
        if value is constant:
            yield f"{tag}0:".encode()
            return
    # Call the methods of the built-in types, because a subclass may override them.
    if isinstance(value, int):
        yield _item("i", int.__format__(value, "x").encode())
    elif isinstance(value, float):
        yield _item("f", float.hex(value).encode())
    elif isinstance(value, str):
        yield _item("u", str.encode(value, "utf-8", "surrogatepass"))
    elif isinstance(value, (bytes, bytearray)):
        yield _item("b" if isinstance(value, bytes) else "B", bytes(memoryview(value)))
    elif isinstance(value, dict):
        yield f"d{dict.__len__(value)}:".encode()
        for pair in dict.items(value):
            for part in pair:
                yield from _parts(part, refer)
    else:
        yield from _composed(value, refer)


def _composed(value: Any, refer: Callable[[Any], int]) -> Iterator[bytes]:
    for tag, kind in SEQUENCES.items():
        if isinstance(value, kind):
            yield f"{tag}{kind.__len__(value)}:".encode()
            for part in kind.__iter__(value):
                yield from _parts(part, refer)
            return
    kind_name = value.__name__ if isinstance(value, type) else ""
    name = type(value).__module__, type(value).__qualname__
    if kind_name and vars(builtins).get(kind_name) is value:
        yield _item("c", kind_name.encode())
    elif name in RICH:
        yield b"x3:"
        for part in (*name, RICH[name](value)):
            yield from _parts(part, refer)
    else:
        yield _item("r", b"%d" % refer(value))


def _item(tag: str, payload: bytes) -> bytes:
    return b"%s%d:%s" % (tag.encode(), len(payload), payload)


def decode(data: bytes, resolve: Callable[[int], Any]) -> Any:
    """Return the value that ``data`` encodes; ``resolve`` returns the object with a number.

    Raises:
        WireError: if ``data`` is not the encoding of one value.
    """
    try:
        value, end = _read(data, 0, resolve)
    except (ArithmeticError, ImportError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise WireError(f"not a value: {type(error).__name__}: {error}") from None
    if end != len(data):
        raise WireError("not one value")
    return value


def _read(data: bytes, start: int, resolve: Callable[[int], Any]) -> tuple[Any, int]:
    colon = data.index(b":", start, start + 22)
    tag, count, start = chr(data[start]), int(data[start + 1 : colon]), colon + 1
    if count < 0:
        raise WireError("a negative count")
    if tag in CONSTANTS:
        return CONSTANTS[tag], start
    if tag in "ltszdx":
        parts = []
        for _ in range(2 * count if tag == "d" else count):
            part, start = _read(data, start, resolve)
            parts.append(part)
        return _composite(tag, parts), start
    end = start + count
    if end > len(data):
        raise WireError("it ends too early")
    return _scalar(tag, data[start:end], resolve), end


def _composite(tag: str, parts: list[Any]) -> Any:
    if tag == "d":
        return dict(zip(parts[::2], parts[1::2], strict=True))
    if tag != "x":
        return SEQUENCES[tag](parts)
    module, name, arguments = parts
    if (module, name) not in RICH:
        raise WireError(f"values of type {module}.{name} cannot be sent")
    return getattr(__import__(module), name)(*arguments)


def _scalar(tag: str, payload: bytes, resolve: Callable[[int], Any]) -> Any:
    if tag == "i":
        return int(payload, 16)
    if tag == "f":
        return float.fromhex(payload.decode())
    if tag == "u":
        return payload.decode("utf-8", "surrogatepass")
    if tag == "b":
        return payload
    if tag == "B":
        return bytearray(payload)
    if tag == "r":
        return resolve(int(payload))
    if tag == "c" and isinstance(kind := vars(builtins).get(payload.decode()), type):
        return kind
    raise WireError(f"unknown tag {tag!r}")


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
