"""Registries: named objects that a setting chooses from, defined in this package or by the user.

A registry belongs to one package, for example :mod:`semalign.targets.maps`. Each module of that package registers its
objects, so a new object needs only a new file. Modules elsewhere register objects in the same way. They are imported
if their folder is given to :func:`include` (``--include`` on the command line) or listed in the variable
``SEMALIGN_INCLUDE``, or if an installed distribution names them as entry points of the group ``semalign``.
"""

import pkgutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import GetCoreSchemaHandler
from pydantic_core.core_schema import CoreSchema, no_info_after_validator_function

from semalign.declarations import declared
from semalign.errors import folded, nearest
from semalign.included import add_folder, import_folder, included_folders, installed, modules_of, remove_folder
from semalign.own_modules import imported

T = TypeVar("T")
_registries: "set[Registry[Any]]" = set()


class Registry(Generic[T]):
    """Objects of one kind by name, in the order in which they were registered.

    Args:
        kind: name of this kind of object, for messages.
        package: package whose modules register the objects; it is imported on the first look-up.
    """

    def __init__(self, kind: str, package: str) -> None:
        self.kind, self.package = kind, package
        self._items: dict[str, T] = {}
        self._owners: dict[str, str] = {}
        self._complete = False

    def add(self, name: str, item: T) -> T:
        """Register an object under a name.

        Raises:
            ValueError: if the name is taken.
        """
        owner = _running_module()
        own = owner.startswith(f"{self.package}.")
        if not own and not declared(f"{self.package}:"):  # its files do not tell their names: import them
            self._import_own()
        if name in self._items or (not own and name in declared(f"{self.package}:")):
            raise ValueError(f"there is already a {self.kind} {name!r}: choose another name")
        self._items[name], self._owners[name] = item, owner
        _registries.add(self)
        return item

    def owners(self) -> set[str]:
        """Return the names of all modules that have registered an object."""
        return set(self._owners.values())

    def registered_by(self, module: str) -> list[str]:
        """Return kind and name of each object that a module has registered."""
        return [f"{self.kind} {name!r}" for name, owner in self._owners.items() if owner == module]

    def forget(self, module: str) -> None:
        """Remove everything that a module has registered."""
        for name in [name for name, owner in self._owners.items() if owner == module]:
            del self._items[name], self._owners[name]

    def register(self, name: str) -> Callable[[T], T]:
        """Return a decorator that registers a function or class under a name."""
        return lambda item: self.add(name, item)

    def __getitem__(self, name: str) -> T:
        """Return an object by name; raise ``ValueError`` with all known names if there is none."""
        self._load()
        if name not in self._items:
            known = sorted(self._items)
            raise ValueError(
                f"no {self.kind} {folded(repr(name), 200)}: choose from {', '.join(known)}{nearest(name, known)}"
            )
        return self._items[name]

    def __contains__(self, name: str) -> bool:
        """Return whether there is an object with that name."""
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
        """Import all modules that register objects here: those of the package, then those of the user."""
        if self._complete:
            return
        self._complete = True
        try:
            self._import_own()
            load_included()
        except BaseException:
            self._complete = False  # so that the next look-up raises the same error
            raise

    def _import_own(self) -> None:
        """Import all modules of the package."""
        package = import_module(self.package)
        for module in pkgutil.walk_packages(package.__path__, f"{self.package}."):
            import_module(module.name)


def registered_by(module: str) -> list[str]:
    """Return kind and name of each object that a module has registered in any registry."""
    return [each for registry in _registries for each in registry.registered_by(module)]


def own_modules() -> dict[str, str]:
    """Return the files of a user's own that have been imported, each with the name of its module.

    They are those of included folders, those beside task files, and modules of other distributions that register
    objects.
    """
    owners = {owner for registry in _registries for owner in registry.owners()}
    others = [sys.modules[owner] for owner in owners if owner in sys.modules and not owner.startswith("semalign.")]
    return {file: module.__name__ for module in others if (file := getattr(module, "__file__", None))} | imported()


def _running_module() -> str:
    """Return the name of the module whose own lines are being run, not those of a function that was called later."""
    frame = sys._getframe()
    while frame.f_back and frame.f_code.co_name != "<module>":
        frame = frame.f_back
    return str(frame.f_globals["__name__"])


def lookup(place: str) -> Any:
    """Return the object at ``package.module:NAME``, such as a registry, importing its module if needed."""
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)


def fact(place: str, name: str, key: str, default: Any = None) -> Any:
    """Return what an object of the registry at ``place`` was registered with, without importing it if that is declared.

    Args:
        place: location of the registry.
        name: name of the object.
        key: keyword of its registration, and attribute of the object.
        default: the keyword's default.
    """
    known = declared(place).get(name)
    return getattr(lookup(place)[name], key) if known is None else known.get(key, default)


def names(place: str) -> list[str]:
    """Return all names in the registry at ``place``: those that its package declares or, with files of a user, all."""
    return list(lookup(place)) if included_folders() or installed() else list(declared(place))


def placed(function: Callable[..., T] | str) -> Callable[..., T]:
    """Return a function that is given as itself or by its place, ``package.module:function``."""
    return lookup(function) if isinstance(function, str) else function


@dataclass(frozen=True)
class Registered:
    """The pydantic check that a setting names an object of a registry: ``Annotated[str, Registered(place)]``.

    The registry, and torch with it, is imported only for a name that no file of its package declares
    (:mod:`semalign.declarations`): one that a user has registered, or a wrong one.

    Attributes:
        place: location of the registry, ``package.module:NAME``.
    """

    place: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Return the schema of the annotated type, followed by the check."""
        return no_info_after_validator_function(self.check, handler(source))

    def check(self, name: str) -> str:
        """Return a name unchanged; raise ``ValueError`` with all known names if it is unknown."""
        if name not in declared(self.place):
            _ = lookup(self.place)[name]
        return name


def include(folder: Path | str) -> None:
    """Import all Python files of a folder, and so register their objects, here and in processes started from here.

    Its YAML files are read as layouts of architectures when a model needs one.

    Raises:
        NotADirectoryError: if the folder does not exist.
        ImportError: if a file cannot be imported; the message names it. The folder is not included then.
    """
    folder = Path(folder).expanduser().resolve()
    if not folder.is_dir():
        raise NotADirectoryError(f"--include takes a folder of Python files; {folder} is not a folder")
    is_new = folder not in included_folders()
    add_folder(folder)  # its files may look up what others of them register
    try:
        _register_folder(folder)
    except BaseException:
        if is_new:  # what is registered is what runs are known by: all of a folder, or nothing
            remove_folder(folder)
            _forget(modules_of(folder))
        raise


def load_included() -> None:
    """Import the folders of ``SEMALIGN_INCLUDE`` and the entry points of installed distributions, each once."""
    for folder in included_folders():
        _register_folder(folder)
    for entry_point in installed():
        entry_point.load()


def _register_folder(folder: Path) -> None:
    """Import the files of a folder; of one that fails nothing stays registered, so that it can be mended."""
    try:
        import_folder(folder)
    except ImportError as error:
        _forget(str(error.name))
        raise


def _forget(start: str) -> None:
    """Take out of all registries what modules have registered whose names begin so."""
    for registry in _registries:
        for owner in registry.owners():
            if owner.startswith(start):
                registry.forget(owner)
