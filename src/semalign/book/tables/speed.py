"""The tables of speed: each heavy step beside its peer, its share of the limit, and how its cost grows."""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from semalign.book.markdown import SPACE
from semalign.results.records import read_record

MB = 1e6
Runs = Sequence[Mapping[str, Any]]


def speed_records(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Return the records of each step in the order of their runs, steps in alphabetical order."""
    found: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(folder.glob("*.json")):
        record = read_record(path)
        found.setdefault(record["method"], []).append(record)
    return found


def speed_data(records: Mapping[str, Runs]) -> pd.DataFrame:
    """Return numbers for each step, run and size: ratio with its spread, seconds, megabytes, limit and difference."""
    return pd.DataFrame(
        [
            {
                "step": record["configuration"]["title"],
                "peer": record["configuration"]["peer"],
                "run": record["seed"],
                "size": size_text(size["size"]),
                "reach": record["configuration"]["reach"],
                "ratio": size["ratio"],
                "low": size["spread"][0],
                "high": size["spread"][1],
                "seconds": size["ours"]["median"],
                "peer_seconds": size["peer"]["median"],
                "memory": megabytes(size["ours"]),
                "peer_memory": megabytes(size["peer"]),
                "limit": math.nan if size["limit"] is None else size["limit"],
                "difference": size["difference"],
            }
            for runs in records.values()
            for record in runs
            for size in record["details"]["sizes"]
        ]
    )


def megabytes(side: Mapping[str, Any]) -> float:
    """Return the peak memory of one side; NaN where it was not measured."""
    return math.nan if side["memory"] is None else side["memory"] / MB


def size_text(size: Mapping[str, Any]) -> str:
    """Return a size for readers.

    >>> size_text({"vocabulary": 32000, "width": 4096})
    'vocabulary 32,000, width 4,096'
    """
    return ", ".join(f"{key} {value:,}" if isinstance(value, int) else f"{key} {value}" for key, value in size.items())


def speed_table(records: Mapping[str, Runs]) -> pd.DataFrame:
    """Return a row for each step: the ratios of all runs at the largest size, the rest of the last run."""
    return pd.DataFrame([_row(runs, sizes_of(runs)[-1]) for runs in records.values()])


def sizes_table(records: Mapping[str, Runs]) -> pd.DataFrame:
    """Return what :func:`speed_table` has, of every size, and how often each side ran."""
    rows = [
        _row(runs, size) | {"rounds": str(at_size(runs, size)[-1]["ours"]["rounds"])}
        for runs in records.values()
        for size in sizes_of(runs)
    ]
    return pd.DataFrame(rows).drop(columns="peer")


def sizes_of(runs: Runs) -> list[Mapping[str, Any]]:
    """Return the sizes of a step, from small to large, as its last run has them."""
    return [each["size"] for each in runs[-1]["details"]["sizes"]]


def at_size(runs: Runs, size: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return what each run measured at a size; a run that has no such size is left out."""
    return [each for run in runs for each in run["details"]["sizes"] if each["size"] == size]


def _row(runs: Runs, size: Mapping[str, Any]) -> dict[str, str]:
    settings, found = runs[-1]["configuration"], at_size(runs, size)
    both = found[-1]["ours"], found[-1]["peer"]
    return {
        "step": settings["title"],
        "peer": settings["peer"],
        "size": size_text(size),
        "seconds": _pair(f"{side['median']:.3g}" for side in both),
        "ratio": "; ".join(map(_ratio, found)),
        "to reach": f"{settings['reach']:g}",
        "MB": _pair(_whole(megabytes(side)) for side in both),
        "limit": "–" if found[-1]["limit"] is None else f"{found[-1]['limit']:.0%}",
        "difference": f"{found[-1]['difference']:.0e}",
    }


def _ratio(size: Mapping[str, Any]) -> str:
    """Return a ratio with its spread, in one line; a side that ran once has none."""
    low, high = map(times, size["spread"])
    spread = "" if size["ours"]["rounds"] == 1 else f"{SPACE}[{low},{SPACE}{high}]"
    return f"{times(size['ratio'])}{spread}"


def times(ratio: float) -> str:
    """Return a ratio with two decimals, a large one with one.

    >>> times(0.946), times(45.413)
    ('0.95', '45.4')
    """
    return f"{ratio:.2f}" if ratio < 10 else f"{ratio:.1f}"


def _pair(numbers: Iterable[str]) -> str:
    """Return two numbers in one line."""
    return f"{SPACE}/{SPACE}".join(numbers)


def _whole(number: float) -> str:
    return "–" if math.isnan(number) else f"{number:.0f}"


def growth_table(records: Mapping[str, Runs]) -> pd.DataFrame:
    """Return the exponents with which the time of each step grows, in each number of its size and each run."""
    return pd.DataFrame(
        [
            {
                "step": runs[-1]["configuration"]["title"],
                "in": key,
                "measured": "; ".join(f"{run['details']['growth'][key]['measured']:.2f}" for run in runs),
                "expected": f"{expected['expected']:g}",
            }
            for runs in records.values()
            for key, expected in runs[-1]["details"]["growth"].items()
        ]
    )


def profile_table(profiles: pd.DataFrame) -> pd.DataFrame:
    """Return the seconds and calls of the slowest operations of each cost, before and after the code was changed.

    Args:
        profiles: a row for each step, code (``before`` or ``after``) and operation, as ``bench.profiles`` writes them.
    """
    rows = []
    for (step, size), part in profiles.groupby(["step", "size"], sort=False):
        for operation, lines in part.groupby("operation", sort=False):
            code = lines.set_index("code")
            cells = {when: _own_time(code.loc[when]) if when in code.index else "–" for when in ("before", "after")}
            rows.append({"step": step, "size": size, "operation": _operation(operation), **cells})
        whole = part.groupby("code")["seconds"].sum()
        totals = {when: f"{whole[when]:.2f} s" if when in whole else "–" for when in ("before", "after")}
        rows.append({"step": step, "size": size, "operation": "all", **totals})
    return pd.DataFrame(rows)


def _operation(name: str) -> str:
    """Return the name of an operation as code, and other words as they are."""
    return f"`{name}`" if "::" in name else name


def _own_time(line: "pd.Series[Any]") -> str:
    """Return the seconds of an operation with its calls; what lies between operations has none."""
    return f"{line['seconds']:.2f} s" + (f", {line['calls']:,} calls" if line["calls"] else "")
