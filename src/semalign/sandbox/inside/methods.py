"""Makes the mirrors of classes, with the methods that an end allows: everything, or only what tests may believe."""

from __future__ import annotations

from _collections_abc import Callable

from .mirror import Doc, Mirror, contains, is_remote, refuse_if_mixed
from .operators import ACTING, BINARY, COUNTING, EQUALITY, ORDER, OVERRIDDEN, READING
from .wire import WireError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any
else:
    Any = object


def make_mirror(
    end: Any, number: int, name: str, module: str, doc: str | None, bases: list[Any], names: tuple[str, ...]
) -> Mirror:
    """Return a mirror of the class that is object ``number`` of the other end.

    Args:
        end: this end of the channel, through which the mirror asks.
        number: the number of the class.
        name: its name.
        module: its module.
        doc: its documentation.
        bases: its base classes: mirrors, or types that both ends have.
        names: the names that the class itself defines.
    """
    if not all(isinstance(text, str) for text in (name, module, *names)):
        raise WireError("a class without a name")
    kept = tuple(base for base in bases if type(base) is Mirror or end.may_extend(base))
    if not any(type(base) is Mirror for base in kept):
        kept = (end.root, *kept)
    data = next((base for base in kept if type(base) is not Mirror), None)
    data = data or next((base._data for base in kept if type(base) is Mirror and base._data), None)
    namespace = {"_number_of_class": number, "_data": data, "__module__": module, "__doc__": Doc(doc)}
    namespace.update(_methods(end.trusting, data, frozenset(names)))
    standard = _standard_types().get(name) if module == "builtins" else None
    if standard is not None:
        namespace["__class__"] = property(lambda self: standard)
    return type.__new__(Mirror, name, kept, namespace)


def _standard_types() -> dict[str, type]:
    """Return the types of functions, generators and so on by name, so that isinstance() knows them."""
    values: list[Any] = [lambda: None, (lambda: (yield))(), len, Doc(None).__get__]
    return {type(value).__name__: type(value) for value in values}


def _methods(trusting: bool, data: type | None, names: frozenset[str]) -> dict[str, Any]:
    """Return the methods of a mirror, given the names that its class defines."""
    if data is not None and data.__name__ == "Counter" and not trusting:
        names -= COUNTING
    methods: dict[str, Any] = {name: _acting(name) for name in names & ACTING}
    methods |= {name: _reading(name) for name in names & READING}
    if "__call__" in names:
        methods["__call__"] = _call
    if trusting:
        methods |= {name: _acting(name) for name in names & (BINARY | ORDER | EQUALITY | {"__contains__"})}
    else:
        methods |= {name: _binary(name, data) for name in names & BINARY}
        methods |= {name: _order(name, data) for name in names & ORDER}
        if data is None and "__eq__" in names:
            methods["__eq__"] = _equal
        if data is None and "__contains__" in names:
            methods["__contains__"] = contains
    if "__exit__" in names:
        methods["__exit__"] = _exit_trusting if trusting else _exit
    if "__aexit__" in names:
        methods["__aexit__"] = _aexit
    if data is not None:
        for name in ("__hash__", "__eq__", "__ne__"):
            methods.pop(name, None)
        methods |= {name: _attribute(name) for name in names & OVERRIDDEN if hasattr(data, name)}
    return methods


def _call(self: Any, *args: Any, **kwargs: Any) -> Any:
    return self._end.ask("call", self, *args, **kwargs)


def _acting(name: str) -> Callable[..., Any]:
    return lambda self, *args: self._end.ask("special", name, self, *args)


def _reading(name: str) -> Callable[..., Any]:
    def method(self: Any, *args: Any) -> Any:
        refuse_if_mixed(self)
        return self._end.ask("special", name, self, *args)

    return method


def _attribute(name: str) -> property:
    return property(lambda self: self._end.ask("getattr", self, name))


def _binary(name: str, data: type | None) -> Callable[..., Any]:
    def method(self: Any, other: Any, *rest: Any) -> Any:
        pure = is_remote(other)
        if data is not None and not pure:
            inherited = getattr(data, name, None)
            return inherited(self, other, *rest) if inherited else NotImplemented
        result = self._end.ask("special", name, self, other, *rest)
        mixed = not pure or "_mixed" in vars(self) or "_mixed" in vars(other)
        return _mixed(result) if mixed and result is not NotImplemented else result

    return method


def _mixed(result: Any) -> Any:
    """Return an object that was computed with the tests' data, marked; data would be what the tests want to see."""
    if type(type(result)) is not Mirror or type(result)._data is not None:
        raise TypeError("an object of the program and the tests' data must give an object of the program")
    object.__setattr__(result, "_mixed", True)
    return result


def _order(name: str, data: type | None) -> Callable[[Any, Any], Any]:
    def method(self: Any, other: Any) -> Any:
        if is_remote(other):
            return self._end.ask("special", name, self, other)
        return getattr(data, name)(self, other) if data is not None else NotImplemented

    return method


def _equal(self: Any, other: Any) -> Any:
    if self is other:
        return True
    if type(self) is not type(other):
        return NotImplemented
    mine, its = self._end.ask("states", self, other)
    return bool(mine) and mine == its


def _exit_trusting(self: Any, kind: Any, error: Any, trace: Any) -> Any:
    return self._end.ask("special", "__exit__", self, kind, error, None)


def _exit(self: Any, kind: Any, error: Any, trace: Any) -> None:
    """Leave a with-statement; the program may not suppress an error, which may be a failed test, nor replace it."""
    try:
        self._end.ask("special", "__exit__", self, kind, error, None)
    except Exception:
        if not isinstance(error, AssertionError):
            raise


async def _aexit(self: Any, kind: Any, error: Any, trace: Any) -> None:
    try:
        await self._end.ask("special", "__aexit__", self, kind, error, None)
    except Exception:
        if not isinstance(error, AssertionError):
            raise
