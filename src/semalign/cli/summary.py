"""What is said at the end of a transfer: layers, atoms, where the result is, and whether it helped."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any


def summary_lines(record: Mapping[str, Any], out: Path) -> list[str]:
    """Return the lines for a transfer.

    Args:
        record: its run record.
        out: the folder of its result.
    """
    from semalign.results.training import layers_of

    details, kind = record["details"], "model" if (out / "config.json").is_file() else "adapter"
    steps, seconds = len(record["losses"]), record["seconds"]
    return [
        *layers_of(details),
        *_vocabulary(details),
        f"{record['method']}: {steps} steps in {seconds:.0f} s",
        f"{kind} in {out}: README.md says how it was made and how to load it, record.json has all numbers",
        *_measured(details),
    ]


def _vocabulary(details: Mapping[str, Any]) -> list[str]:
    if "vocabulary" not in details:
        return []
    from semalign.targets.vocabulary_report import report_lines

    return report_lines(details["vocabulary"])


def _measured(details: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the held-out rows say, the response NLL last."""
    before, after = details["before"], details["after"]
    if not before or not after:
        yield "no held-out rows: with --hold-out 50 or --validation FILE, it is told whether the response NLL fell"
        return
    for key in (key for key in before if key != "response_nll"):
        yield f"held-out {key}: {_number(before[key])} -> {_number(after[key])}"
    old, new, n = before["response_nll"], after["response_nll"], details["held_out"]["n"]
    yield f"held-out response_nll: {_number(old)} -> {_number(new)} nats a token on {n} rows{_change(old, new)}"


def _change(old: float | None, new: float | None) -> str:
    if old is None or new is None:
        return ""
    return ": it did not change" if new == old else f": it {'fell' if new < old else 'rose'} by {abs(new - old):.4f}"


def _number(value: float | None) -> str:
    return "not a finite number" if value is None else f"{value:.4f}"
