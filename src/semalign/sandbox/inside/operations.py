"""What one end of the channel can ask the other to do with an object: by name, a function of the object."""

from __future__ import annotations

from _collections_abc import Callable

from .operators import SPECIAL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any
else:
    Any = object


def _special(name: str, value: Any, *args: Any) -> Any:
    if name not in SPECIAL:
        raise AttributeError(name)
    method = getattr(type(value), name, None)
    if method is None:
        raise TypeError(f"{type(value).__name__!r} object has no {name}")
    return method(value, *args)


def _states(*values: Any) -> tuple[Any, ...]:
    """Return the attributes that decide whether objects are equal, of each."""
    return tuple(_state(value) for value in values)


def _state(value: Any) -> dict[str, Any]:
    fields = getattr(type(value), "__dataclass_fields__", None)
    if fields is not None:
        return {name: getattr(value, name) for name, field in fields.items() if field.compare}
    slots = [name for base in type(value).__mro__ for name in _slots(base)]
    return {name: getattr(value, name) for name in (*slots, *getattr(value, "__dict__", ())) if hasattr(value, name)}


def _slots(kind: type) -> tuple[str, ...]:
    slots = vars(kind).get("__slots__", ())
    return (slots,) if isinstance(slots, str) else tuple(slots)


def made_signature(parameters: list[Any], returned: tuple[Any, ...]) -> Any:
    """Return the signature that :func:`_signature` took apart at the other end."""
    from inspect import Parameter, Signature

    def given(part: tuple[Any, ...]) -> Any:
        return part[0] if part else Parameter.empty

    kind_of: Any = type(Parameter.VAR_KEYWORD)
    made = [
        Parameter(name, kind_of(kind), default=given(default), annotation=given(annotation))
        for name, kind, default, annotation in parameters
    ]
    return Signature(made, return_annotation=given(returned))


def _signature(function: Any) -> Any:
    import inspect

    def given(value: Any) -> tuple[Any, ...]:
        return () if value is inspect.Parameter.empty else (value,)

    found = inspect.signature(function)
    parts = [(p.name, int(p.kind), given(p.default), given(p.annotation)) for p in found.parameters.values()]
    return parts, given(found.return_annotation)


def _copy(value: Any) -> Any:
    return __import__("copy").copy(value)


def _deepcopy(value: Any) -> Any:
    return __import__("copy").deepcopy(value)


_loops: list[Any] = []


def _await(awaitable: Any) -> Any:
    """Run an awaitable to its end, in a loop that lives on: an asynchronous generator ends with its loop."""
    import asyncio

    async def wait() -> Any:
        return await awaitable

    running = asyncio._get_running_loop()
    loop = next((loop for loop in _loops if not loop.is_running()), None)
    if loop is None:
        loop = asyncio.new_event_loop()
        _loops.append(loop)
    asyncio._set_running_loop(None)
    try:
        return loop.run_until_complete(wait())
    finally:
        asyncio._set_running_loop(running)


OPERATIONS: dict[str, Callable[..., Any]] = {
    "call": lambda *args, **kwargs: args[0](*args[1:], **kwargs),
    "getattr": getattr,
    "setattr": setattr,
    "delattr": delattr,
    "getitem": lambda value, key: value[key],
    "special": _special,
    "states": _states,
    "signature": _signature,
    "copy": _copy,
    "deepcopy": _deepcopy,
    "await": _await,
}
