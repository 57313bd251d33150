"""What the files of a registry's package register, read from their text: a name is checked without importing PyTorch.

Each of these files registers its objects by a decorator, such as ``@alignment_map("none", needs="nothing")``, whose
arguments are constants. What a user registers is not seen here: see :class:`semalign.registry.Registry`.
"""

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any


@cache
def declared(place: str) -> Mapping[str, Mapping[str, Any]]:
    """Return the names in a registry at ``package:NAME``, each with the keyword arguments that are constants."""
    spec = find_spec(place.partition(":")[0])
    if spec is None or spec.origin is None:
        return {}
    files = sorted(Path(spec.origin).parent.glob("*.py"))
    return {name: facts for file in files for name, facts in _in_file(file)}


def _in_file(file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        for call in getattr(node, "decorator_list", ()):
            if isinstance(call, ast.Call) and call.args and isinstance(call.args[0], ast.Constant):
                constants = [(each.arg, each.value) for each in call.keywords if isinstance(each.value, ast.Constant)]
                yield str(call.args[0].value), {str(key): value.value for key, value in constants}
