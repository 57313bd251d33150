"""The registry of methods. A new method is a file that calls :func:`add_method`, here or in your own folder.

Nothing here loads PyTorch. The files of :mod:`semalign.methods.declared` name the functions of a method by their place.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from semalign.errors import folded, nearest
from semalign.registry import Registry
from semalign.settings import MethodSettings

if TYPE_CHECKING:
    from semalign.training.adaptation import Adapted, Inputs

Kind = Literal["method", "baseline", "control"]
KINDS: tuple[Kind, ...] = ("method", "baseline", "control")
TRAINING = MappingProxyType({"epochs": "epochs", "learning_rate": "learning_rate"})


class Method(NamedTuple):
    """A method that adapts a student; :func:`semalign.methods.runner.run_method` reads, measures and saves.

    Attributes:
        name: name in tables, records and commands.
        kind: the paper's ``method``, a published ``baseline``, or a ``control`` of this project.
        citation: key of its source in the book's bibliography; for a control, of the method that it varies.
        description: description in one sentence.
        settings: class of its settings, with the method's defaults.
        adapt: function from the inputs to the adapted student; it changes neither teacher nor student. Here and in
            ``check`` a place, ``package.module:function``, may stand for a function: it is imported when it is called.
        of_task: settings whose values come from the tasks of a profile, with the name of the task's field for each.
        check: function that raises ``ValueError`` or ``OSError`` if the inputs cannot be used. It runs before any long
            work; an earlier result in the output folder stays as it is if it raises.
    """

    name: str
    kind: Kind
    citation: str
    description: str
    settings: type[MethodSettings]
    adapt: "Callable[[Inputs], Adapted] | str"
    of_task: Mapping[str, str] = TRAINING
    check: "Callable[[Inputs], Any] | str" = lambda inputs: None


METHODS: Registry[Method] = Registry("method", "semalign.methods.declared")
"""All methods by name."""


def add_method(method: Method) -> Method:
    """Register a method under its name; raise ``ValueError`` if the name is taken."""
    return METHODS.add(method.name, method)


def methods() -> Mapping[str, Method]:
    """Return all methods by name: the paper's, then baselines, then controls, each in alphabetical order."""
    found = sorted(METHODS.values(), key=lambda method: (KINDS.index(method.kind), method.name))
    return MappingProxyType({method.name: method for method in found})


def method(name: str) -> Method:
    """Return a method by name; raise ``ValueError`` with all known names if there is none."""
    if not isinstance(name, str) or name not in METHODS:
        raise ValueError(
            f"no method {folded(repr(name), 200)}: choose from {', '.join(methods())}{nearest(name, methods())}"
        )
    return METHODS[name]
