"""YAML from users: no tags that make objects, no key twice, no anchors that grow without end, errors in one line.

Whole numbers are those of YAML 1.2: 010 is ten, which YAML 1.1 reads as eight, and 1:30 is text, not ninety.
"""

import re
from collections.abc import Hashable
from copy import deepcopy
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import yaml

from semalign.errors import folded, one_line

INT = "tag:yaml.org,2002:int"
WHOLE = re.compile(r"^[-+]?(?:0b_*[01][01_]*|0o_*[0-7][0-7_]*|0x_*[0-9a-fA-F][0-9a-fA-F_]*|[0-9][0-9_]*)$")
LARGEST = 100_000  # values in one text, with each alias counted as what it stands for


class Loader(yaml.SafeLoader):
    """PyYAML's safe loader, which also refuses a key that is given twice and anchors that repeat too much."""

    yaml_implicit_resolvers: ClassVar = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != INT]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def get_single_node(self) -> Any:
        """Return the root of the text; its size is checked before any value is made of it."""
        root = super().get_single_node()
        if root is not None and _size(root, {}) > LARGEST:
            raise yaml.YAMLError(f"its anchors repeat to more than {LARGEST} values")
        return root

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        """Return a mapping; an error names a key that is given twice."""
        keys = [(key.tag, key.value) for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        if repeated := [value for i, (tag, value) in enumerate(keys) if (tag, value) in keys[:i]]:
            raise yaml.YAMLError(f"it has the key {repeated[0]!r} twice")
        return super().construct_mapping(node, deep)


def _whole(loader: Loader, node: yaml.ScalarNode) -> int:
    """Return the whole number of a scalar, with zeros in front of it or not."""
    text = str(loader.construct_scalar(node)).replace("_", "")
    return int(text, 0) if re.match("[-+]?0[box]", text) else int(text)


Loader.add_implicit_resolver(INT, WHOLE, list("-+0123456789"))
Loader.add_constructor(INT, _whole)


def _size(node: Any, known: dict[int, int]) -> int:
    """Return the number of values in a node; a node that holds itself is an error."""
    if id(node) in known:
        if not known[id(node)]:
            raise yaml.YAMLError("one of its anchors holds itself")
        return known[id(node)]
    known[id(node)] = 0
    parts = [] if isinstance(node, yaml.ScalarNode) else node.value
    children = [child for part in parts for child in (part if isinstance(part, tuple) else (part,))]
    known[id(node)] = 1 + sum(_size(child, known) for child in children)
    return known[id(node)]


def parse(text: str, what: str, loader: type[yaml.SafeLoader] = Loader) -> Any:
    """Return the content of a YAML text.

    Args:
        text: the text.
        what: where it comes from, for messages.
        loader: a subclass of :class:`Loader` with more tags.

    Raises:
        ValueError: if it is not YAML, or holds a key twice or anchors that repeat too much; in one line.
    """
    try:
        return deepcopy(_plain(text)) if loader is Loader else yaml.load(text, loader)
    # PyYAML raises the last ones for scalars that look like dates or numbers, and for wrong tags.
    except (yaml.YAMLError, RecursionError, ValueError, KeyError, AttributeError, TypeError, OverflowError) as error:
        raise ValueError(f"{what} is not YAML that can be read: {_reason(error)}") from error


@lru_cache(maxsize=64)
def _plain(text: str) -> Any:
    """Return the content of a text without tags; the same profiles are read many times while the book is built."""
    return yaml.load(text, Loader)


def _reason(error: Exception) -> str:
    """Return why a text is refused; for PyYAML's own errors with the place but without the text around it."""
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return folded(error) if isinstance(error, yaml.YAMLError) else one_line(error)
    return folded(f"{getattr(error, 'problem', '')} (line {mark.line + 1}, column {mark.column + 1})")


def read_mapping(path: Path, loader: type[yaml.SafeLoader] = Loader) -> dict[Any, Any]:
    """Return the keys and values of a YAML file.

    Raises:
        ValueError: if the file is not UTF-8 or not YAML (see :func:`parse`), or holds no keys and values.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 text: {error}") from error
    content = parse(text, str(path), loader)
    if not isinstance(content, dict):
        raise ValueError(f"{path} must hold keys and values, one `key: value` on each line")
    return content
