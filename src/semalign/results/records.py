"""Run records: one self-describing JSON file for each run, and tables of many records.

A record must be complete, with no other keys. Data that only one kind of run has go into ``configuration`` and
``details``. On disk a record also has a checksum, so that a value that was changed later is noticed.
"""

import hashlib
import json
import math
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from semalign.errors import folded
from semalign.files import write_json
from semalign.results.schema import RunRecord
from semalign.results.surroundings import command, commit, peak_memory, used_gpu, versions
from semalign.results.training import NO_TRAINING, training_of

if TYPE_CHECKING:  # pandas takes seconds to import
    import pandas as pd

PAPER = "semalign"  # the method with the paper's settings
NONE = "none"  # in place of a method, for a model without a transfer
CHECKSUM = "checksum"
OWN = {"fingerprints", "configuration", "metric"}  # keys that a file of something else hardly has
RECORD = "record.json"  # of a model or an adapter, beside it
CONFIGURATIONS = ("config.json", "adapter_config.json")  # without one of these a folder holds no model or adapter


class DamagedRecordError(ValueError):
    """A file that does not hold a run record as it was written; ``reason`` says what is wrong with it.

    ``ours`` says that it was written as a record; a file that was written as something else is not said to be damaged.
    """

    def __init__(self, path: Path | str, reason: str, *, ours: bool = True) -> None:
        told = f"is damaged ({reason}): delete it and make it again"
        super().__init__(f"{path} {told if ours else 'is no run record: choose a folder that holds run records alone'}")
        self.reason, self.ours = reason, ours


def make_record(**fields: Any) -> dict[str, Any]:
    """Return a complete run record, ready for JSON, from the fields of a run.

    Versions, commit, device, peak memory, command and time default to those of this process, ``interval`` to None,
    ``losses`` and ``details`` to empty, and ``status`` to ``"done"``. NaN and infinite numbers become null.

    Raises:
        ValueError: for a missing or unknown key, a wrong type or a number that cannot be; the message says which.
    """
    surroundings: dict[str, Any] = {
        "interval": None,
        "losses": [],
        "details": {},
        "status": "done",
        "versions": versions(),
        "commit": commit(),
        "device": cuda.get_device_name() if (cuda := used_gpu()) is not None else "cpu",
        "peak_memory_bytes": peak_memory(),
        "command": command(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    if isinstance(value := fields.get("value"), float) and not math.isfinite(value):
        fields["value"] = None
    return _checked({**surroundings, **fields}, "this run record")


def write_record(path: Path | str, record: dict[str, Any]) -> None:
    """Check a record and write it as JSON, atomically; then delete the journal of answers that led to it."""
    content = _checked(record, f"the record for {path}")
    write_json(path, {**content, CHECKSUM: _checksum(content)})
    companion_path(Path(path), "answers").unlink(missing_ok=True)


def companion_path(record: Path, kind: str) -> Path:
    """Return the path of a compressed JSONL file next to a record: its ``samples`` or ``answers``."""
    return record.with_name(f"{record.name.removesuffix('.json')}.{kind}.jsonl.gz")


def read_record(path: Path | str) -> dict[str, Any]:
    """Return one record.

    Raises:
        DamagedRecordError: if the file is no complete record, has a number that cannot be, or has other content than
            was written; this is a ``ValueError`` of one line.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise DamagedRecordError(path, f"not JSON: {error}") from error
    written = content.pop(CHECKSUM, None) if isinstance(content, dict) else None
    try:
        record = _checked(content, "it")
    except ValueError as error:
        ours = written is not None or (isinstance(content, dict) and not OWN.isdisjoint(content))
        raise DamagedRecordError(path, str(error), ours=ours) from error
    if written is not None and written != _checksum(content):  # a record from before there were checksums has none
        raise DamagedRecordError(path, "its checksum is that of other content")
    return record


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number")


def _checksum(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def read_records(folder: Path | str, only: Collection[str] | None = None) -> "pd.DataFrame":
    """Return records as a table with the record's keys, ``low`` and ``high``, and ``path``, which is in the folder.

    What a record says of its training has columns too (:meth:`semalign.results.training.Training.columns`). In a folder
    that holds a model or an adapter, JSON files that are no records are the model's, and are left out.

    Args:
        folder: folder of the records.
        only: names of files in the folder itself; None for all, those of its subfolders too.

    Raises:
        FileNotFoundError: if the folder does not exist.
        DamagedRecordError: if a JSON file in it is not a record as it was written; this is a ``ValueError``.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder {folder} to read run records from")
    rows = []
    for path in sorted(folder.rglob("*.json") if only is None else filter(Path.is_file, map(folder.joinpath, only))):
        being_written = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if being_written:
            continue
        try:
            record = read_record(path)
        except DamagedRecordError as error:
            if only is None and not error.ours and _beside_model(path):
                continue
            raise
        low, high = record["interval"] or (None, None)
        place = {"low": low, "high": high, "path": str(path.relative_to(folder))}
        rows.append({**record, **place, **training_of(record).columns()})
    import pandas as pd

    return pd.DataFrame(rows, columns=[*RunRecord.model_fields, "low", "high", "path", *NO_TRAINING.columns()])


def _beside_model(path: Path) -> bool:
    """Return whether a model or an adapter is in the folder of a file."""
    return any((path.parent / name).is_file() for name in CONFIGURATIONS)


def _checked(content: Any, what: str) -> dict[str, Any]:
    try:
        return json.loads(RunRecord.model_validate(content).model_dump_json())
    except ValidationError as error:
        problems = (f"{'.'.join(map(str, e['loc'])) or 'record'}: {e['msg'].lower()}" for e in error.errors())
        raise ValueError(f"{what} is not a run record; {folded('; '.join(problems))}") from error
    except ValueError as error:  # text that is not Unicode
        raise ValueError(f"{what} is not a run record; {folded(error)}") from error
