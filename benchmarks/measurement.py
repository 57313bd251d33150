"""Write what a script of this folder measured, with how it ran: commit, day, command, seconds, memory and machine."""

import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from semalign.files import write_json
from semalign.results.surroundings import command, commit, peak_memory

STARTED, COMMIT = time.perf_counter(), commit()  # the commit may change while a long script runs


def write_measurement(path: Path, found: Mapping[str, Any]) -> None:
    """Write numbers to a JSON file, whole or not at all: seconds since the script began, memory of its own process."""
    how = {
        "commit": COMMIT,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": f"python benchmarks/{command()}",
        "cores": os.cpu_count(),
        "torch": torch.__version__,
        "seconds": round(time.perf_counter() - STARTED, 1),
        "peak_memory_bytes": peak_memory(),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, {**found, **how})
