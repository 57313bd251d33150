"""Where run records were made, and how far those that were made again elsewhere differ."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from semalign.results.records import read_record


def made_on(paths: Sequence[Path]) -> str:
    """Return how many records were made on which device, by which version of PyTorch, the most first."""
    found = Counter(_machine(read_record(path)) for path in paths)
    return ", ".join(f"{number} on {machine}" for machine, number in found.most_common()) or "none"


def made_again(folder: Path, first: Path) -> str:
    """Return how many records were made again, on what, and the largest difference of their values.

    Args:
        folder: the records that were made again.
        first: the folder of those of the same names that were made before.
    """
    again = {path.name: read_record(path) for path in sorted(folder.glob("*.json"))}
    if not again:
        return "none was made again"
    largest = max(abs(record["value"] - read_record(first / name)["value"]) for name, record in again.items())
    machines = " and ".join(sorted({_machine(record) for record in again.values()}))
    return f"{len(again)} made again on {machines} differ by at most {largest:.0e}"


def _machine(record: dict[str, Any]) -> str:
    device = "a CPU" if record["device"] == "cpu" else record["device"]
    return f"{device} by PyTorch {record['versions'].get('torch', 'of unknown version')}"
