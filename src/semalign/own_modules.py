"""Modules in a user's own files: methods, maps and losses of an included folder, functions beside a task file."""

import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType


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
