"""Modules in a user's own files: methods, maps and losses of an included folder, functions beside a task file."""

import os
import sys
import traceback
from collections.abc import Container
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType
from typing import NamedTuple

PACKAGE = f"{Path(__file__).parent}{os.sep}"


class _FromSource(SourceFileLoader):
    """Compiles the file at each import.

    Python keeps what it compiled by the second and the size of a file, so that it misses a change of one digit right
    after an import; and it would write into a folder that is not ours.
    """

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.get_data(self.path), self.path)


def import_file(name: str, path: Path) -> ModuleType:
    """Import a Python file as the module ``name``, from its source as it is now.

    A module whose code raises is not kept, so that the file can be imported once it is mended.

    Raises:
        OSError: if the file cannot be read.
        Exception: whatever the file's own code raises.
    """
    spec = spec_from_file_location(name, path, loader=_FromSource(name, str(path)))
    assert spec is not None and spec.loader is not None  # a spec with a loader is always made
    module = module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


class Line(NamedTuple):
    """A line of a file, with its text."""

    file: str
    line: int
    text: str


def imported() -> dict[str, str]:
    """Return the files that :func:`import_file` has imported, each with the name of its module."""
    modules = {name: vars(module).get("__loader__") for name, module in list(sys.modules.items()) if module is not None}
    return {loader.path: name for name, loader in modules.items() if isinstance(loader, _FromSource)}


def raised_at(error: BaseException, files: Container[str]) -> Line | None:
    """Return the line in one of some files that raised an error, itself or by what it asked of a library.

    If it is code of semalign that raised, whoever called it, the result is None.
    """
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename in files:
            return Line(frame.filename, frame.lineno or 0, frame.line or "")
        if frame.filename.startswith(PACKAGE):
            return None
    return None
