"""Registries: named objects that a setting chooses from, of this package or of a user's own folder.

A registry belongs to one package, say :mod:`semalign.targets.maps`. Each module of that package registers its objects,
so a new one is a new file. A module elsewhere registers in the same way, and is found where its folder is given to
:func:`include` (``--include`` on the command line), in the variable ``SEMALIGN_INCLUDE``, or where an installed
distribution names it as an entry point of the group ``semalign``.
"""

import hashlib
import importlib.util
import os
import pkgutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import GetCoreSchemaHandler
from pydantic_core.core_schema import CoreSchema, no_info_after_validator_function

T = TypeVar("T")
VARIABLE = "SEMALIGN_INCLUDE"


class Registry(Generic[T]):
    """Objects of one kind by name, in the order in which they were registered.

    Args:
        kind: what the objects are, for messages.
        package: the package whose modules register them; they are imported when the registry is first asked.
    """

    def __init__(self, kind: str, package: str) -> None:
        self.kind, self.package = kind, package
        self._items: dict[str, T] = {}
        self._complete = False

    def add(self, name: str, item: T) -> T:
        """Register an object under a name.

        Raises:
            ValueError: if the name is taken.
        """
        if name in self._items:
            raise ValueError(f"there is a {self.kind} {name!r} already: choose another name")
        self._items[name] = item
        return item

    def register(self, name: str) -> Callable[[T], T]:
        """Return a decorator that registers a function or class under a name."""
        return lambda item: self.add(name, item)

    def __getitem__(self, name: str) -> T:
        """Return an object by name; ``ValueError`` with all known names if there is none."""
        self._load()
        if name not in self._items:
            raise ValueError(f"no {self.kind} {name!r}: choose from {', '.join(sorted(self._items))}")
        return self._items[name]

    def __contains__(self, name: str) -> bool:
        """Return whether there is an object of that name."""
        self._load()
        return name in self._items

    def __iter__(self) -> Iterator[str]:
        """Yield all names."""
        self._load()
        return iter(list(self._items))

    def values(self) -> list[T]:
        """Return all objects."""
        self._load()
        return list(self._items.values())

    def _load(self) -> None:
        """Import what registers objects here: the package's modules first, then those of users."""
        if self._complete:
            return
        self._complete = True
        try:
            package = import_module(self.package)
            for module in pkgutil.walk_packages(package.__path__, f"{self.package}."):
                import_module(module.name)
            load_included()
        except BaseException:
            self._complete = False  # the next look-up tells of the same fault
            raise


def lookup(place: str) -> "Registry[Any]":
    """Return the registry at ``package.module:NAME``, which is imported now if it was not yet."""
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)


@dataclass(frozen=True)
class Registered:
    """The pydantic check that a setting names an object of a registry: ``Annotated[str, Registered(place)]``.

    The registry is imported when the first settings are checked, and torch with it: to import a module that declares
    settings stays light.

    Attributes:
        place: of the registry, ``package.module:NAME``.
    """

    place: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Return the schema of the text, and after it the check."""
        return no_info_after_validator_function(self.check, handler(source))

    def check(self, name: str) -> str:
        """Return a name as it is; ``ValueError`` with all known names if it is unknown."""
        _ = lookup(self.place)[name]
        return name


def include(folder: Path | str) -> None:
    """Import all Python files of a folder, in this process and those that it starts; what they register is known then.

    Raises:
        NotADirectoryError: if there is no such folder.
        ImportError: for a file that cannot be imported; it is named.
    """
    folder = Path(folder).expanduser().resolve()
    if not folder.is_dir():
        raise NotADirectoryError(f"--include takes a folder of Python files; {folder} is none")
    known = included_folders()
    if folder not in known:
        os.environ[VARIABLE] = os.pathsep.join(map(str, [*known, folder]))
    _import_folder(folder)


def included_folders() -> list[Path]:
    """Return the folders of ``SEMALIGN_INCLUDE``, to which :func:`include` adds."""
    return [Path(part) for part in os.environ.get(VARIABLE, "").split(os.pathsep) if part]


def load_included() -> None:
    """Import the folders of ``SEMALIGN_INCLUDE`` and the entry points of installed distributions, each once."""
    for folder in included_folders():
        _import_folder(folder)
    for entry_point in entry_points(group="semalign"):
        entry_point.load()


@cache
def _import_folder(folder: Path) -> None:
    for path in sorted(folder.glob("*.py")):
        # The folder is in the name, so that two files of one name in two folders are two modules.
        name = f"semalign_included_{hashlib.sha256(str(folder).encode()).hexdigest()[:8]}_{path.stem}"
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise ImportError(f"{path} is no Python file")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except Exception as error:
            del sys.modules[name]
            raise ImportError(f"{path} cannot be included: {error}") from error
