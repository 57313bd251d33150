"""How exceptions are sent: their class with its builtin bases, their arguments, attributes and cause."""

from __future__ import annotations

from .classes import Class, numbered, write_mine
from .mirror import Mirror
from .values import is_type
from .wire import READERS, Reader, WireError, Writer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any
else:
    Any = object


def write_error(writer: Writer, error: BaseException) -> None:
    """Write an exception; one of a class that both ends have is rebuilt, another one is mirrored."""
    kind, cause = type(error), error.__cause__
    args = OSError.__reduce__(error)[1] if isinstance(error, OSError) else tuple(error.args)  # with the file's name
    own = kind.__module__ == "program" or kind.__module__ == "tests"  # whose attributes are asked for
    attributes = () if own else (*vars(error).items(), *((name, getattr(error, name)) for name in _named(error)))
    if is_type(kind):
        writer.items("e", None, kind, args, attributes, cause)
    else:
        write_mine(writer, "e", error, lambda: (Class(kind), args, attributes, cause))


def _named(error: BaseException) -> tuple[str, ...]:
    return ("name",) if isinstance(error, (AttributeError, ImportError, NameError)) else ()


def _read_error(reader: Reader, count: int) -> BaseException:
    number, kind, args, attributes, cause = reader.values(count, 5, 5)
    if not (isinstance(kind, type) and issubclass(kind, BaseException) and isinstance(args, tuple)):
        raise WireError("no exception")
    error = kind.__new__(kind, *args)
    try:
        builtin: Any = next(base for base in kind.__mro__ if is_type(base))
        builtin.__init__(error, *args)  # sets errno and the like
    except TypeError:  # its arguments were changed after it was made
        error.args = args
    error.__cause__ = cause
    if type(kind) is Mirror:
        numbered(error, number)
    for name, value in attributes:
        if not name.startswith("__") or name == "__notes__":
            object.__setattr__(error, name, value)
    return error if number is None else reader.end.note(number, error)


READERS["e"] = _read_error
