"""Immutable values of the standard library, sent as the arguments of their constructors, and types, sent by name."""

from __future__ import annotations

import gc
from _collections_abc import Callable

from .wire import READERS, WRITERS, Reader, WireError, Writer, full_name, loaded, located

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any
else:
    Any = object

Arguments = Callable[[Any], tuple[Any, ...]]


def _dict_of(view: Any) -> tuple[Any, ...]:
    return (gc.get_referents(view)[0],)  # the dict itself, so that the view follows it at the other end too


def _text(value: Any) -> tuple[Any, ...]:
    return (str(value),)


def _fields(*names: str) -> Arguments:
    return lambda value: tuple(getattr(value, name) for name in names)


_CLOCK = ("hour", "minute", "second", "microsecond", "tzinfo")

# A type's full name to a function that returns the arguments of its constructor.
ARGUMENTS: dict[str, Arguments] = {
    "builtins:range": _fields("start", "stop", "step"),
    "builtins:slice": _fields("start", "stop", "step"),
    "builtins:complex": _fields("real", "imag"),
    "builtins:memoryview": lambda x: (x.tobytes(),),
    "builtins:dict_keys": _dict_of,
    "builtins:dict_values": _dict_of,
    "builtins:dict_items": _dict_of,
    "collections:ChainMap": lambda x: tuple(x.maps),
    "datetime:date": _fields("year", "month", "day"),
    "datetime:time": _fields(*_CLOCK),
    "datetime:datetime": _fields("year", "month", "day", *_CLOCK),
    "datetime:timedelta": _fields("days", "seconds", "microseconds"),
    "datetime:timezone": lambda x: x.__getinitargs__(),
    "decimal:Decimal": _text,
    "fractions:Fraction": _fields("numerator", "denominator"),
    "ipaddress:IPv4Address": _text,
    "ipaddress:IPv4Interface": _text,
    "ipaddress:IPv4Network": _text,
    "ipaddress:IPv6Address": _text,
    "ipaddress:IPv6Interface": _text,
    "ipaddress:IPv6Network": _text,
    "pathlib:PosixPath": _text,
    "pathlib:PurePosixPath": _text,
    "pathlib:PureWindowsPath": _text,
    "re:Pattern": _fields("pattern", "flags"),
    "statistics:NormalDist": _fields("mean", "stdev"),
    "string:Template": _fields("template"),
    "time:struct_time": lambda x: (tuple(x),),
    "uuid:UUID": _text,
    "zoneinfo:ZoneInfo": _fields("key"),
}
# Types that are made by something else than their constructor.
MAKERS: dict[str, Callable[..., Any]] = {
    "builtins:dict_keys": dict.keys,
    "builtins:dict_values": dict.values,
    "builtins:dict_items": dict.items,
    "re:Pattern": lambda pattern, flags: located("re:compile")(pattern, flags),
}
# Types that no module has under their name.
NAMELESS = {f"builtins:{type(value).__name__}": type(value) for value in (None, ..., NotImplemented)}
VIEWS = {type(getattr({}, name)()): f"builtins:dict_{name}" for name in ("keys", "values", "items")}
FOLDS = ("datetime:time", "datetime:datetime")
# Mutable types of the standard library that ``heap`` sends.
CONTAINERS = (
    "array:array",
    "collections:Counter",
    "collections:OrderedDict",
    "collections:defaultdict",
    "collections:deque",
    "types:SimpleNamespace",
)
TYPES = frozenset(ARGUMENTS) - set(map(full_name, VIEWS)) | set(CONTAINERS)


def name_of_value(value: Any) -> str:
    """Return the full name of the type of a value that ``ARGUMENTS`` knows, else nothing."""
    name = VIEWS.get(type(value)) or full_name(type(value))
    return name if name in ARGUMENTS and (type(value) in VIEWS or loaded(name) is type(value)) else ""


def write_value(writer: Writer, name: str, value: Any) -> None:
    """Write a value whose type has the full name ``name``, a key of ``ARGUMENTS``."""
    arguments = ARGUMENTS[name](value)
    fold = (value.fold,) if name in FOLDS else ()
    writer.items("x", name, arguments, *fold)


def _read_value(reader: Reader, count: int) -> Any:
    name, arguments, *fold = reader.values(count, 2, 3)
    if name not in ARGUMENTS or not isinstance(arguments, tuple):
        raise WireError(f"values of type {name} cannot be sent")
    value = MAKERS.get(name, None) or located(name)
    made = value(*arguments)
    return made.replace(fold=fold[0]) if fold and fold[0] else made


def name_of_type(kind: type) -> str:
    """Return the full name of a class that both ends have: a builtin, or one whose values can be sent; else nothing."""
    name = full_name(kind)
    if NAMELESS.get(name) is kind:
        return name
    return name if (name.startswith("builtins:") or name in TYPES) and loaded(name) is kind else ""


def is_type(kind: type) -> bool:
    """Return whether a class is one that both ends have."""
    return name_of_type(kind) != ""


def _read_type(reader: Reader, count: int) -> Any:
    name = reader.raw(count).decode()
    if name in NAMELESS:
        return NAMELESS[name]
    if reader.end.trusting:  # any class, function or module of the standard library
        return located(name)
    kind = located(name) if name.startswith("builtins:") or name in TYPES else None
    # Not ``type``, which makes classes with methods, nor what one reaches through the attributes of a builtin.
    if not isinstance(kind, type) or kind is type or name_of_type(kind) != name:
        raise WireError(f"no type {name}")
    return kind


WRITERS.update({kind: lambda writer, value: write_value(writer, name_of_value(value), value) for kind in VIEWS})
READERS.update({"x": _read_value, "c": _read_type})
