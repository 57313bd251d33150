"""The types of containers that the two ends share: what one is made with, what it holds, and how it is filled.

The functions call the methods of the builtin types, because a class that extends one may override them.
"""

from __future__ import annotations

import sys
from _collections import OrderedDict, defaultdict, deque  # type: ignore[import-not-found]
from _collections_abc import Callable
from _operator import is_

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any
else:
    Any = object


class Kind:
    """How a type of container is sent: what it is made with, what it holds, and how it is given what it holds."""

    def __init__(
        self,
        name: str,
        parts: Callable[[Any], list[Any]],
        fill: Callable[[Any, list[Any]], None],
        made_with: Callable[[Any], tuple[Any, ...]] = lambda value: (),
        raw: bool = False,
    ) -> None:
        self.name, self.parts, self.fill, self.made_with, self.raw = name, parts, fill, made_with, raw

    def same(self, parts: list[Any], others: list[Any]) -> bool:
        """Return whether a container still holds the same objects; only bytes are compared by value."""
        return len(parts) == len(others) and (parts == others if self.raw else all(map(is_, parts, others)))


def _fill_list(value: Any, parts: list[Any]) -> None:
    value[:] = parts


def _fill_bytes(value: Any, parts: list[Any]) -> None:
    (value[:],) = parts


def _pairs(value: Any) -> list[Any]:
    return [part for pair in list(dict.items(value)) for part in pair]


def _fill_dict(value: Any, parts: list[Any]) -> None:
    keys = parts[::2]
    if list(dict.keys(value)) != keys:
        dict.clear(value)
    for key, part in zip(keys, parts[1::2], strict=True):
        dict.__setitem__(value, key, part)


def _fill_set(value: Any, parts: list[Any]) -> None:
    set.intersection_update(value, parts)
    set.update(value, parts)


def _fill_deque(value: Any, parts: list[Any]) -> None:
    deque.clear(value)
    deque.extend(value, parts)


def _fill_array(value: Any, parts: list[Any]) -> None:
    del value[:]
    value.frombytes(*parts)


def _ordered(value: Any) -> list[Any]:
    return [part for pair in list(OrderedDict.items(value)) for part in pair]


def _fill_ordered(value: Any, parts: list[Any]) -> None:
    OrderedDict.clear(value)
    for key, part in zip(parts[::2], parts[1::2], strict=True):
        OrderedDict.__setitem__(value, key, part)


KINDS = {
    "l": Kind("builtins:list", lambda x: list(list.__iter__(x)), _fill_list),
    "d": Kind("builtins:dict", _pairs, _fill_dict),
    "s": Kind("builtins:set", lambda x: list(set.__iter__(x)), _fill_set),
    "B": Kind("builtins:bytearray", lambda x: [bytes(memoryview(x))], _fill_bytes, raw=True),
    "q": Kind("collections:deque", lambda x: list(deque.__iter__(x)), _fill_deque, lambda x: ((), x.maxlen)),
    "O": Kind("collections:OrderedDict", _ordered, _fill_ordered),
    "D": Kind("collections:defaultdict", _pairs, _fill_dict, lambda x: (x.default_factory,)),
    "C": Kind("collections:Counter", _pairs, _fill_dict),
    "S": Kind("types:SimpleNamespace", lambda x: _pairs(vars(x)), lambda x, parts: _fill_dict(vars(x), parts)),
    "a": Kind("array:array", lambda x: [x.tobytes()], _fill_array, lambda x: (x.typecode,), raw=True),
}
TAGS = {kind.name: tag for tag, kind in KINDS.items()}
# Types that are there without an import. The others have the tags of their full names.
BUILTIN = {list: "l", dict: "d", set: "s", bytearray: "B", deque: "q", OrderedDict: "O", defaultdict: "D"}
BUILTIN[type(sys.implementation)] = "S"
