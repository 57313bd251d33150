"""The registry of methods: one file each in this package, with one ``METHOD``. Adding a method is adding a file."""

import pkgutil
from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any, Literal, NamedTuple

from semalign import methods as package
from semalign.methods.runner import Data, TransferResult, transfer_as
from semalign.models.loading import LanguageModel
from semalign.settings import MethodSettings, TransferSettings

Kind = Literal["method", "baseline", "control"]
KINDS: tuple[Kind, ...] = ("method", "baseline", "control")
TRAINING = MappingProxyType({"epochs": "epochs", "learning_rate": "learning_rate"})


class Method(NamedTuple):
    """One way to adapt a student.

    Attributes:
        name: its name in tables, records and commands.
        kind: the paper's method, a baseline of others, or a control of this project.
        citation: key in the book's bibliography of where it comes from; for a control, of what it varies.
        settings: its settings; their defaults are the method's own.
        run: ``run(teacher, student, data, *, output_dir=None, validation=None, task=..., **settings)``, like
            :func:`semalign.transfer`; the record's ``method`` is ``name``.
        of_task: which of its settings a profile's task gives, and under which name there.
    """

    name: str
    kind: Kind
    citation: str
    settings: type[MethodSettings]
    run: Callable[..., TransferResult]
    of_task: Mapping[str, str] = TRAINING


def variant(name: str, kind: Kind, citation: str, settings: type[TransferSettings]) -> Method:
    """Return the method that is :func:`semalign.transfer` under other settings, which fix what sets it apart."""

    def run(
        teacher: str | Path | LanguageModel, student: str | Path | LanguageModel, data: Data, **given: Any
    ) -> TransferResult:
        places = {key: given.pop(key) for key in ("output_dir", "validation", "task") if key in given}
        return transfer_as(name, settings(**given), teacher, student, data, **places)

    return Method(name, kind, citation, settings, run)


def method_modules() -> list[ModuleType]:
    """Return the modules of this package that define a method."""
    names = sorted(file.name for file in pkgutil.iter_modules(package.__path__))
    return [import_module(f"{package.__name__}.{name}") for name in names if name not in ("registry", "runner")]


@lru_cache
def methods() -> Mapping[str, Method]:
    """Return all methods by name: the paper's, baselines, controls, each in the order of their files."""
    found: list[Method] = [module.METHOD for module in method_modules()]
    found.sort(key=lambda method: KINDS.index(method.kind))
    return MappingProxyType({method.name: method for method in found})


def method(name: str) -> Method:
    """Return a method by name; ``ValueError`` with all known names if there is none."""
    try:
        return methods()[name]
    except KeyError:
        raise ValueError(f"no method {name!r}: choose from {', '.join(methods())}") from None
