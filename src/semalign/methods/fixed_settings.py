"""Settings of a control: the paper's with other defaults, some of which define the control and cannot be changed."""

from collections.abc import Collection, Mapping
from copy import copy
from functools import partial
from typing import Any

from pydantic import AfterValidator, create_model
from pydantic.fields import FieldInfo

from semalign.settings import TransferSettings


def variant(name: str, changed: Mapping[str, Any], fixed: Collection[str]) -> type[TransferSettings]:
    """Return a class of settings with other defaults than the paper's, some of which cannot be changed.

    Args:
        name: name of the class.
        changed: the defaults that differ from the paper's.
        fixed: names of those that define the method; any other value for them is an error.
    """
    fields: dict[str, Any] = {}
    for key, value in changed.items():
        field = copy(TransferSettings.model_fields[key])
        field.default = value
        if key in fixed:
            field.metadata = [*field.metadata, AfterValidator(partial(_check_fixed, value))]
        fields[key] = (field.annotation, field)
    made = create_model(name, __base__=TransferSettings, __doc__=TransferSettings.__doc__, **fields)
    made.__module__ = __name__
    return made


def is_fixed(field: FieldInfo) -> bool:
    """Return whether a setting defines a method, so that it cannot be changed."""
    checks = (item.func for item in field.metadata if isinstance(item, AfterValidator))
    return any(isinstance(check, partial) and check.func is _check_fixed for check in checks)


def _check_fixed(fixed: Any, value: Any) -> Any:
    if value != fixed:
        raise ValueError(f"it is {fixed!r} in this method and cannot be changed")
    return value
