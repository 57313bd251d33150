"""Read the YAML of a task: lm-eval's form, with ``include`` and ``!function``, and no other way to run code.

A ``!function`` names a function of a module that stands in the folder of the YAML, or of
:mod:`semalign.evaluation.code`, which runs programs in the sandbox, or :mod:`semalign.evaluation.numbers`. A module in
the folder is the user's own code and runs as the user. lm-eval's own loader would import any module, and its
keys ``class``, ``group`` and ``use_prompt`` lead to further code or files.
"""

import hashlib
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from semalign.own_modules import import_file
from semalign.yaml_text import Loader, read_mapping

CODE = "semalign.evaluation.code"
OURS = (CODE, "semalign.evaluation.numbers")


class Function(NamedTuple):
    """A ``!function module.name`` that is not imported yet, and the folder of the YAML that has it."""

    name: str
    folder: Path

    @property
    def module(self) -> str:
        """The dotted name of the module."""
        return self.name.rpartition(".")[0]

    @property
    def path(self) -> Path:
        """Where the module would be in the folder of the YAML."""
        return self.folder.joinpath(*self.module.split(".")).with_suffix(".py")


class Source(NamedTuple):
    """The content of a YAML file after its includes, and all files that it depends on, itself first."""

    content: dict[str, Any]
    files: tuple[Path, ...]


def read_yaml(path: Path, bundled: Path, including: tuple[Path, ...] = ()) -> Source:
    """Return what a YAML file holds; functions are not imported yet.

    Args:
        path: the file.
        bundled: the folder in which an ``include`` is looked for after the folder of the file.
        including: the files that lead to this one by ``include``.

    Raises:
        FileNotFoundError: if the file, or one that it includes, does not exist.
        ValueError: if it is no YAML with keys and values, or includes itself.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no task file {path}")
    if path in including:
        raise ValueError(f"{path} includes itself")
    content = _parse(path)
    merged: dict[str, Any] = {}
    files = [path]
    included = content.pop("include", [])
    names = [included] if isinstance(included, str) else included
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"{path}: include must name a file, or a list of files")
    for name in names:
        nearest = path.parent / name
        part = read_yaml(nearest if nearest.is_file() else bundled / name, bundled, (*including, path))
        merged |= part.content
        files += part.files
    files += [function.path for function in functions_in(content) if function.path.is_file()]
    return Source({**merged, **content}, tuple(dict.fromkeys(files)))


def _parse(path: Path) -> dict[str, Any]:
    class WithFunctions(Loader):
        """YAML without tags that make objects, other than ``!function``."""

    WithFunctions.add_constructor("!function", lambda loader, node: Function(str(node.value), path.parent))
    content = read_mapping(path, WithFunctions)
    if wrong := [key for key in content if not isinstance(key, str)]:
        raise ValueError(f"{path}: unknown key {wrong[0]!r}")
    return content


def functions_in(value: Any) -> Iterator[Function]:
    """Yield all functions in a YAML's content, at any depth."""
    if isinstance(value, Function):
        yield value
    elif isinstance(value, Mapping | list):
        for part in value.values() if isinstance(value, Mapping) else value:
            yield from functions_in(part)


def with_functions(value: Any) -> Any:
    """Return a copy of a YAML's content with its functions imported.

    Raises:
        ValueError: for a function that cannot be imported, or is of a module that may not be.
    """
    if isinstance(value, Function):
        return _imported(value)
    if isinstance(value, Mapping):
        return {key: with_functions(part) for key, part in value.items()}
    return [with_functions(part) for part in value] if isinstance(value, list) else value


def _imported(function: Function) -> Callable[..., Any]:
    if not all(part.isidentifier() for part in function.name.split(".")) or not function.module:
        raise ValueError(f"!function {function.name}: write module.name")
    if not function.path.is_file() and function.module not in OURS:
        others = f"other functions are those of {' and '.join(OURS)}"
        raise ValueError(f"!function {function.name}: there is no {function.path}; {others}")
    try:
        module = _module_at(function.path) if function.path.is_file() else import_module(function.module)
        found = getattr(module, function.name.rpartition(".")[2])
    except Exception as error:  # the module's own code runs, and may raise anything
        text = " ".join(str(error).split())
        raise ValueError(f"!function {function.name}: {error.__class__.__name__}: {text}") from error
    if not callable(found):
        raise ValueError(f"!function {function.name} is no function")
    return found


def _module_at(path: Path) -> ModuleType:
    """Import a file; once for each content, so that a changed file is imported again."""
    name = f"semalign_task_{path.stem}_{hashlib.sha256(str(path).encode() + path.read_bytes()).hexdigest()[:16]}"
    return sys.modules[name] if name in sys.modules else import_file(name, path)
