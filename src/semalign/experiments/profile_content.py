"""What a profile says: the defaults, then the profile that it is based on, then its own file, merged table by table."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from semalign.errors import nearest
from semalign.experiments.profile_paths import FOLDER, profile_path
from semalign.yaml_text import read_mapping

BASED_ON = "based_on"
DROPPABLE = {
    "tasks": "write `{}: {{}}`",
    "teachers": "name the tasks that it is for",
    "variants": "write `{}: {{}}`",
    "selection": "give it the values of each setting to choose from",
}
"""The tables of which a profile can leave out what the one that it is based on has: it says ``null`` there.

For each there is what to write where nothing is left out.
"""


def profile_files(name: str | Path) -> list[Path]:
    """Return the files that a profile is read from: the defaults, those that it is based on, and its own.

    Args:
        name: a packaged profile, or the path of a YAML file.

    Raises:
        FileNotFoundError: if one of them does not exist.
        ValueError: if one is not YAML with keys and values, or is based on itself.
    """
    files = [profile_path(name)]
    while (base := _base(files[0])) is not None:
        if base.resolve() in map(Path.resolve, files):
            raise ValueError(f"profile {name}: {files[0]} is based on {base.stem}, which is based on it")
        files.insert(0, base)
    return [FOLDER / "defaults.yaml", *files]


def _base(path: Path) -> Path | None:
    """Return the file that a profile is based on: a packaged one, or a YAML file beside it; None if it names none."""
    named = read_mapping(path).get(BASED_ON)
    if named is None:
        return None
    if not isinstance(named, str):
        raise ValueError(f"{path}: {BASED_ON}: give the name of a packaged profile or the path of a YAML file")
    beside = path.parent / named
    return profile_path(beside if beside.suffix in (".yaml", ".yml") else named)


def profile_content(name: str | Path) -> dict[str, Any]:
    """Return all keys and values of a profile; see :func:`profile_files` for the arguments and errors.

    Raises:
        ValueError: for a task or an entry that is ``null``, but is in no profile that this one is based on.
    """
    content: dict[str, Any] = {}
    for path in profile_files(name):
        change = read_mapping(path)
        for table, remedy in DROPPABLE.items():
            _check_dropped(f"{path}: {table}", _entries(content, table), _entries(change, table), remedy)
        content = merge(content, change)
    for table in DROPPABLE:
        if isinstance(content.get(table), Mapping):
            content[table] = {key: value for key, value in content[table].items() if value is not None}
    return content


def _entries(content: Mapping[str, Any], table: str) -> Mapping[str, Any]:
    found = content.get(table)
    return found if isinstance(found, Mapping) else {}


def _check_dropped(where: str, base: Mapping[str, Any], change: Mapping[str, Any], remedy: str) -> None:
    """Raise ``ValueError`` for an entry that is null but not there to be left out."""
    for key in (key for key, value in change.items() if value is None and key not in base):
        other = ", and nothing that the profile is based on has it" if base else ""
        raise ValueError(f"{where}.{key}: it is empty{other}: {remedy.format(key)}{nearest(key, base)}")


def merge(base: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``base`` with what ``change`` says on top, table by table."""
    merged = dict(base)
    for key, value in change.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = merge(merged[key], value) if both else value
    return merged
