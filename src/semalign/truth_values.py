"""Truth values are no numbers: Python would take them for 0 and 1."""

from collections.abc import Iterator, Mapping, Set
from numbers import Number
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel

OF_TRUTHS = (bool, list, tuple, Set, Mapping, BaseModel)  # types that are truth values, or may hold some


def check_numbers(annotation: Any, value: Any) -> None:
    """Make sure that no truth value is given for a number, also in nested lists and dicts.

    Args:
        annotation: the types that are allowed; where truth values are, or something that may hold them, any are taken.
        value: what is given.

    Raises:
        ValueError: for a truth value, also one of NumPy or PyTorch.
    """
    found = [each for each in _single_values(value) if _is_truth(each)]
    if found and _takes_numbers_alone(annotation):
        raise ValueError(f"it is {str(found[0]).lower()}; give a value, not true or false")


def _single_values(value: Any) -> Iterator[Any]:
    """Yield what is in nested lists, tuples, sets and dicts, keys too; one that holds itself is read once."""
    waiting, known = [value], set()
    while waiting:
        each = waiting.pop()
        if not isinstance(each, list | tuple | Set | Mapping):
            yield each
        elif id(each) not in known:
            known.add(id(each))
            waiting += [*each, *each.values()] if isinstance(each, Mapping) else each


def _is_truth(value: Any) -> bool:
    return isinstance(value, bool) or str(getattr(value, "dtype", "")) in ("bool", "torch.bool")


def _takes_numbers_alone(annotation: Any) -> bool:
    """Return whether a setting takes numbers, and neither truth values nor anything that may hold them."""
    kinds = [kind for kind in _kinds(annotation) if isinstance(kind, type)]
    may_hold = any(kind in (Any, object) or issubclass(kind, OF_TRUTHS) for kind in kinds)
    return any(issubclass(kind, Number) for kind in kinds) and not may_hold


def _kinds(annotation: Any) -> Iterator[Any]:
    """Yield the types of the single values that an annotation allows."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        yield from map(type, parts)
    elif parts:
        for part in parts[:1] if origin is Annotated else parts:
            yield from _kinds(part)
    else:
        yield annotation
