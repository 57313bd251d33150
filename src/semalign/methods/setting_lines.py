"""The settings of a method in words: names, values, defaults and meanings, for the book and for the command line."""

import types
from collections.abc import Iterable
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from semalign.methods.fixed_settings import is_fixed
from semalign.registry import Registered, names

WORDS = {int: "integer", float: "number", bool: "True or False", str: "text", type(None): "None", Any: "any value"}
SIGNS = ((Ge, "ge", "≥"), (Gt, "gt", ">"), (Le, "le", "≤"), (Lt, "lt", "<"))


class SettingLine(NamedTuple):
    """One line of a table of settings.

    Attributes:
        name: name of the setting, as in ``--set``.
        values: values that the setting takes.
        default: its default value.
        meaning: its description.
    """

    name: str
    values: str
    default: str
    meaning: str


def setting_lines(settings: type[BaseModel], every: bool = False) -> list[SettingLine]:
    """Return a line for each setting that a class adds to its base class or redefines, or for every one that it has.

    Raises:
        ValueError: if a setting has no description; the message names it.
    """
    own = {name: field for name, field in settings.model_fields.items() if every or name in settings.__annotations__}
    for name, field in own.items():
        if not field.description:
            raise ValueError(f"the setting {name!r} of {settings.__name__} has no description: give its Field one")
    return [SettingLine(name, _values(field), _default(field), str(field.description)) for name, field in own.items()]


def _values(field: FieldInfo) -> str:
    return "fixed" if is_fixed(field) else _words(field.annotation, field.metadata)


def _words(annotation: Any, metadata: Iterable[Any] = ()) -> str:
    """Return the values that an annotation allows, in words: ``integer ≥ 1 or None``."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _words(parts[0], [inner for item in parts[1:] for inner in getattr(item, "metadata", [item])])
    if origin in (Union, types.UnionType):
        return " or ".join(_words(part, metadata) for part in parts)
    if origin is Literal:
        return ", ".join(map(str, parts))
    if origin is tuple:
        return f"list of {_words(parts[0])}"
    if origin is list:
        return f"list of {_words(parts[0])}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "mapping"
    if origin is dict:
        return f"mapping from {_words(parts[0])} to {_words(parts[1])}"
    if places := [item.place for item in metadata if isinstance(item, Registered)]:
        return ", ".join(sorted(names(places[0])))
    name = WORDS.get(annotation, getattr(annotation, "__name__", str(annotation)))
    return name + (_limits(metadata) if annotation in (int, float) else "")


def _limits(metadata: Iterable[Any]) -> str:
    found = [
        f"{sign} {getattr(item, key):g}" for item in metadata for kind, key, sign in SIGNS if isinstance(item, kind)
    ]
    return f" {', '.join(found)}" if found else ""


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    return "" if isinstance(value, BaseModel) else str(value)
