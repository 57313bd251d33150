"""Containers that both ends have: lists, dicts and the like that have crossed the channel, kept the same.

A container that crosses gets a number. From then on it is one object for both ends: it comes back as the same object,
and each message carries the changes that its sender made since the last message. So arguments are changed in place,
aliases stay aliases, and a list that is kept for later calls stays the list of the other end. A container to which one
end holds no reference any more is forgotten at both ends.
"""

from __future__ import annotations

import sys
from _collections_abc import Callable

from .containers import BUILTIN, KINDS
from .wire import READERS, WRITERS, Reader, WireError, Writer, located

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any
else:
    Any = object

UNREFERENCED = 3  # references to a container that only the heap holds: its table, a local variable, an argument


class Heap:
    """The shared containers of one end, by number; ``first`` is 0 at one end and 1 at the other."""

    def __init__(self, first: int) -> None:
        self._next = first
        self._values: dict[int, Any] = {}
        self._numbers: dict[int, int] = {}
        self._tags: dict[int, str] = {}
        self._known: dict[int, list[Any]] = {}  # what the other end takes it to hold

    def number(self, value: Any) -> int | None:
        """Return the number of a container that is shared, else None."""
        return self._numbers.get(id(value))

    def add(self, tag: str, value: Any, number: int | None = None) -> int:
        """Share a container, under the other end's number or a new one."""
        if number is None:
            number, self._next = self._next, self._next + 2
        self._values[number], self._numbers[id(value)], self._tags[number] = value, number, tag
        return number

    def value(self, number: int) -> Any:
        return self._values[number]

    def keep(self, number: int) -> list[Any]:
        """Note what a container holds now as what both ends know; return it."""
        kind = KINDS[self._tags[number]]
        self._known[number] = kind.parts(self._values[number])
        return self._known[number]

    def changes(self) -> list[tuple[int, tuple[Any, ...] | None]]:
        """Return what changed since the last message: numbers with what they hold, or with None if forgotten."""
        found: list[tuple[int, tuple[Any, ...] | None]] = []
        for number in list(self._values):
            value = self._values[number]
            kind = KINDS[self._tags[number]]
            if not kind.same(kind.parts(value), self._known[number]):
                found.append((number, tuple(self.keep(number))))
            if sys.getrefcount(value) <= UNREFERENCED:
                self.forget(number)
                found.append((number, None))
        return found

    def forget(self, number: int) -> None:
        """Stop sharing a container."""
        self._numbers.pop(id(self._values.pop(number)))
        self._tags.pop(number, None)
        self._known.pop(number, None)

    def apply(self, number: int, parts: tuple[Any, ...] | None) -> None:
        """Apply a change that the other end made."""
        if number not in self._values:
            raise WireError(f"no container {number}")
        if parts is None:
            self.forget(number)
        else:
            KINDS[self._tags[number]].fill(self._values[number], list(parts))
            self.keep(number)


def write_container(writer: Writer, tag: str, value: Any) -> None:
    """Write a container: its number if it is shared, else also what it holds."""
    heap, kind = writer.end.heap, KINDS[tag]
    if (shared := heap.number(value)) is not None:
        writer.item("h", b"%d" % shared)
        return
    number = heap.add(tag, value)
    writer.undo.append(lambda: heap.forget(number))
    made_with, parts = kind.made_with(value), heap.keep(number)
    writer.parts.append(f"{tag}{2 + len(parts)}:".encode())
    for part in (number, made_with, *parts):
        writer.write(part)


def _reader(tag: str) -> Callable[[Reader, int], Any]:
    kind = KINDS[tag]

    def read(reader: Reader, count: int) -> Any:
        number, made_with = reader.values(min(count, 2), 2)
        heap = reader.end.heap
        value = reader.end.new_container(located(kind.name), made_with)
        if not isinstance(number, int) or number in heap._values or number % 2 == heap._next % 2:
            raise WireError(f"container {number} is there already")
        heap.add(tag, value, number)
        heap._known[number] = []
        kind.fill(value, reader.values(count - 2))  # after its number is known: it may hold itself
        heap.keep(number)
        return value

    return read


def _read_shared(reader: Reader, count: int) -> Any:
    return reader.end.heap.value(int(reader.raw(count)))


WRITERS.update(
    {kind: lambda writer, value, tag=tag: write_container(writer, tag, value) for kind, tag in BUILTIN.items()}
)
READERS.update({"h": _read_shared, **{tag: _reader(tag) for tag in KINDS}})
