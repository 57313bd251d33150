"""The registry of methods. A new method is a new file that calls :func:`add_method`, here or in a folder of yours."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

from semalign.registry import Registry
from semalign.settings import MethodSettings
from semalign.training.adaptation import Adapted, Inputs

Kind = Literal["method", "baseline", "control"]
KINDS: tuple[Kind, ...] = ("method", "baseline", "control")
TRAINING = MappingProxyType({"epochs": "epochs", "learning_rate": "learning_rate"})


class Method(NamedTuple):
    """One way to adapt a student; :func:`semalign.methods.runner.run_method` does the rest.

    Attributes:
        name: its name in tables, records and commands.
        kind: the paper's method, a baseline of others, or a control of this project.
        citation: key in the book's bibliography of where it comes from; for a control, of what it varies.
        description: what it is, in a sentence.
        settings: its settings; their defaults are the method's own.
        adapt: from its inputs to the adapted student. It checks what it needs first, with a ``ValueError``, and
            changes neither teacher nor student.
        of_task: which of its settings a profile's task gives, and under which name there.
    """

    name: str
    kind: Kind
    citation: str
    description: str
    settings: type[MethodSettings]
    adapt: Callable[[Inputs], Adapted]
    of_task: Mapping[str, str] = TRAINING


METHODS: Registry[Method] = Registry("method", "semalign.methods")
"""Methods by name."""


def add_method(method: Method) -> Method:
    """Register a method under its name; ``ValueError`` if the name is taken."""
    return METHODS.add(method.name, method)


def methods() -> Mapping[str, Method]:
    """Return all methods by name: the paper's, baselines, controls, each in alphabetical order."""
    found = sorted(METHODS.values(), key=lambda method: (KINDS.index(method.kind), method.name))
    return MappingProxyType({method.name: method for method in found})


def method(name: str) -> Method:
    """Return a method by name; ``ValueError`` with all known names if there is none."""
    if name not in METHODS:
        raise ValueError(f"no method {name!r}: choose from {', '.join(methods())}")
    return METHODS[name]
