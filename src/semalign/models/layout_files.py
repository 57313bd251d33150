"""Layouts from YAML files, for architectures that are not in the table (:mod:`semalign.models.layouts`)."""

from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

from semalign.errors import nearest
from semalign.included import included_folders
from semalign.models.layouts import LAYOUTS, Layout
from semalign.registry import load_included
from semalign.yaml_text import read_mapping

FACTORS = ("residual_scale", "logit_scale", "logit_divisor")
OPTIONAL = ("mixer", "readers", *FACTORS)


def layout_of(model_type: str) -> Layout:
    """Return the layout of an architecture: one of :data:`LAYOUTS`, or of a YAML file in an included folder.

    Raises:
        ValueError: if there is none; it says how to add one.
    """
    if model_type not in LAYOUTS:
        load_included()
        for folder in included_folders():
            _register_folder(folder)
    if model_type not in LAYOUTS:
        raise ValueError(
            f"no layout for architecture {model_type!r}; known: {', '.join(LAYOUTS)}. "
            f"Write one as YAML, as in examples/architecture, and give its folder: --include FOLDER"
        )
    return LAYOUTS[model_type]


@cache
def _register_folder(folder: Path) -> None:
    for path in sorted(folder.glob("*.yaml")):
        register_layouts(path)


def register_layouts(path: Path | str) -> None:
    """Add the layouts of a YAML file to :data:`LAYOUTS`.

    The file has the form ``{model_type: {layers: ..., norm: ..., attention: ..., mlp: ..., lora: [...],
    matrices: [...]}}``, with the attributes of :class:`Layout` as keys; those with a default of none may be left out,
    and ``mixer`` if it is the last matrix of ``lora``.
    ``layers`` and ``norm`` are paths from the model, all others from one of its layers.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: for an unknown or a missing key, a value of the wrong type, or an architecture that has another
            layout already.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file {path} with layouts")
    made = {model_type: _layout(f"{path}: {model_type}", values) for model_type, values in read_mapping(path).items()}
    for model_type, layout in made.items():
        if LAYOUTS.get(model_type, layout) != layout:
            raise ValueError(f"{path}: there is another layout for {model_type} already")
    LAYOUTS.update(made)


def _layout(place: str, values: Any) -> Layout:
    """Return a layout from its keys and values; ``place`` is where they stand, for messages."""
    known = [each.name for each in fields(Layout)]
    if not isinstance(values, dict):
        raise ValueError(f"{place}: give keys and values: {', '.join(known)}")
    for key in values:
        if key not in known:
            raise ValueError(f"{place}: unknown key {key!r}{nearest(key, known)}")
    if missing := [key for key in known if key not in values and key not in OPTIONAL]:
        raise ValueError(f"{place}: it has no {missing[0]}")
    readers = values.get("readers", {})
    if not isinstance(readers, dict):
        raise ValueError(f"{place}: readers must hold a list of matrices for each norm")
    checked: dict[str, Any] = {
        **{key: _path(f"{place}: {key}", values[key]) for key in ("layers", "norm", "attention", "mlp")},
        **{key: _paths(f"{place}: {key}", values[key]) for key in ("lora", "matrices")},
        "readers": {norm: _paths(f"{place}: readers.{norm}", paths) for norm, paths in readers.items()},
        **{key: _name(f"{place}: {key}", values.get(key)) for key in FACTORS},
    }
    mixer = _path(f"{place}: mixer", values.get("mixer", checked["lora"][-1]))
    return Layout(**checked, mixer=mixer)


def _path(place: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{place} must be the path of a module, such as model.norm; it is {value!r}")
    return value


def _paths(place: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(part, str) for part in value):
        raise ValueError(f"{place} must be a list of paths of modules; it is {value!r}")
    return tuple(value)


def _name(place: str, value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{place} must be the name of a number in the model's configuration; it is {value!r}")
    return value
