"""What is checked of the place of a record before it is made: its name, and whose record is there already."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from semalign.results.records import DamagedRecordError, companion_path, read_record

LONGEST = 255  # bytes of a file name


def check_length(file_name: str) -> None:
    """Raise ``OSError`` if the file of a record, or of its samples or answers, would have too long a name."""
    longest = max(len(companion_path(Path(file_name), kind).name.encode()) for kind in ("samples", "answers"))
    if longest > LONGEST:
        raise OSError(
            f"the record {file_name} has a name that is {longest - LONGEST} bytes too long for a file: give models, "
            "tasks and entries shorter names or paths, such as that of a link, or vary fewer settings in a grid"
        )


def check_same_models(path: Path, **models: str | None) -> None:
    """Make sure that a record would not replace one of models with other names; a damaged one may be replaced.

    Args:
        path: where the record would go.
        **models: the names or paths of its models, by the key of a record (``teacher``, ``student``) or ``adapter``.

    Raises:
        ValueError: if there is a record of other models, or a file that is no record.
    """
    if not path.is_file():
        return
    try:
        record = read_record(path)
    except DamagedRecordError as error:
        if error.ours:
            return
        raise ValueError(f"{path} is no run record: choose another --out, or move it elsewhere") from error
    there = {key: record["configuration"].get(key) if key == "adapter" else record[key] for key in models}
    if any(_same(name) != _same(there[key]) for key, name in models.items()):
        raise ValueError(f"{path} is the record of {_named(there)}: choose another --out, or delete it")


def _same(name: str | None) -> Path | None:
    return None if name is None else Path(name).resolve()


def _named(models: Mapping[str, Any]) -> str:
    """Return models in words, such as ``'student' with the adapter runs/mine``."""
    both = " and ".join(repr(models[key]) for key in ("teacher", "student") if models.get(key))
    return f"{both} with the adapter {models['adapter']}" if models.get("adapter") else both
