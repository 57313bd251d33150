"""Run records: one self-describing JSON file for each run, and tables of many records.

A record must be complete, with no other keys. Data that only one kind of run has go into ``configuration`` and
``details``.
"""

import json
import resource
import shlex
import subprocess
import sys
from collections.abc import Collection
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from semalign.files import write_json
from semalign.paths import code_checkout, project_root

PAPER = "semalign"  # the method with the paper's settings
NONE = "none"  # in place of a method, for a model without a transfer
PACKAGES = (
    "semalign",
    "torch",
    "transformers",
    "peft",
    "datasets",
    "lm-eval",
    "captum",
    "numpy",
    "safetensors",
)


class RunRecord(BaseModel):
    """The keys of a run record; a missing or unknown key is an error."""

    model_config = ConfigDict(extra="forbid")

    method: str
    teacher: str | None = Field(description="None for a run without a teacher")
    student: str
    task: str
    seed: int | None
    metric: str
    value: float | None = Field(description="None if the run gave no number")
    n: int = Field(ge=0, description="number of items that the value is computed from")
    interval: tuple[float, float] | None = Field(description="95% interval of the value, low and high")
    configuration: dict[str, Any] = Field(description="resolved settings, including all defaults")
    fingerprints: dict[str, str | None] = Field(description="hashes of teacher, student and data")
    versions: dict[str, str]
    commit: str | None
    device: str
    seconds: float = Field(ge=0)
    peak_memory_bytes: int = Field(ge=0)
    losses: list[Any] = Field(description="training losses in the order of the steps")
    details: dict[str, Any]
    command: str
    created: str = Field(description="ISO time, UTC")
    status: str


def make_record(**fields: Any) -> dict[str, Any]:
    """Return a complete run record, ready for JSON, from the fields of a run.

    Versions, commit, device, peak memory, command and time default to those of this process, ``interval`` to None,
    ``losses`` and ``details`` to empty, and ``status`` to ``"done"``. NaN and infinite numbers become null.

    Raises:
        ValueError: for a missing or unknown key or a wrong type; the message names the key.
    """
    surroundings: dict[str, Any] = {
        "interval": None,
        "losses": [],
        "details": {},
        "status": "done",
        "versions": versions(),
        "commit": commit(),
        "device": torch.cuda.get_device_name() if torch.cuda.is_initialized() else "cpu",
        "peak_memory_bytes": peak_memory(),
        "command": command(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return _checked({**surroundings, **fields}, "this run record")


def write_record(path: Path | str, record: dict[str, Any]) -> None:
    """Check a record and write it as JSON, atomically; then delete the journal of answers that led to it."""
    write_json(path, _checked(record, f"the record for {path}"))
    companion_path(Path(path), "answers").unlink(missing_ok=True)


def companion_path(record: Path, kind: str) -> Path:
    """Return the path of a compressed JSONL file next to a record: its ``samples`` or ``answers``."""
    return record.with_name(f"{record.name.removesuffix('.json')}.{kind}.jsonl.gz")


def read_record(path: Path | str) -> dict[str, Any]:
    """Return one record; raise ``ValueError`` if the file is not a complete record."""
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    return _checked(content, str(path))


def read_records(folder: Path | str, only: Collection[str] | None = None) -> pd.DataFrame:
    """Return all records below a folder as a table with the record's keys, ``low`` and ``high``, and ``path``.

    Args:
        folder: folder of the records.
        only: names of the files to read; None for all.

    Raises:
        FileNotFoundError: if the folder does not exist.
        ValueError: if a JSON file in it is not a complete record.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder {folder} to read run records from")
    rows = []
    for path in sorted(path for path in folder.rglob("*.json") if only is None or path.name in only):
        record = read_record(path)
        low, high = record["interval"] or (None, None)
        rows.append({**record, "low": low, "high": high, "path": str(path.relative_to(folder))})
    return pd.DataFrame(rows, columns=[*RunRecord.model_fields, "low", "high", "path"])


def _checked(content: Any, what: str) -> dict[str, Any]:
    try:
        return json.loads(RunRecord.model_validate(content).model_dump_json())
    except ValidationError as error:
        problems = (f"{'.'.join(map(str, e['loc'])) or 'record'}: {e['msg'].lower()}" for e in error.errors())
        raise ValueError(f"{what} is not a run record; {'; '.join(problems)}") from error


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that results depend on."""
    found = {"python": sys.version.split()[0]}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def commit() -> str | None:
    """Return the commit of the checkout that the code runs from; None for an installed package or without git."""
    if (checkout := code_checkout()) is None:
        return None
    git = ["git", "-C", str(checkout), "rev-parse", "--short=12", "HEAD"]
    try:
        return subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def peak_memory() -> int:
    """Return the peak memory of this process in bytes: GPU memory if a GPU is in use, else resident memory."""
    if torch.cuda.is_initialized():
        return torch.cuda.max_memory_allocated()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def command() -> str:
    """Return the command line of this process, with paths relative to the checkout and the home folder as ``~``."""
    program = Path(sys.argv[0]).name
    if program.startswith("ipykernel"):
        return "notebook"
    arguments = (shlex.quote(arg.replace(f"{project_root()}/", "")) for arg in sys.argv[1:])
    return " ".join([program, *(arg.replace(f"{Path.home()}/", "~/") for arg in arguments)])
