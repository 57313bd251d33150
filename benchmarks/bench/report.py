"""Records and a table from the times of pytest-benchmark, and a check against the records that are there."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.race import Step, all_steps
from semalign.files import json_fingerprint, read_json
from semalign.paths import results_dir
from semalign.results.records import make_record, read_record, write_record

FALL = 2 / 3  # of the ratio on record
COLUMNS = ("ours", "peer", "ratio", "reach", "memory", "limit", "difference", "growth")


def sizes_of(step: Step, times: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return for each size that was measured the times of both sides, their ratio with its spread, and the rest."""
    sizes = list(map(dict, step.sizes))
    return sorted(map(compared, times), key=lambda found: sizes.index(found["size"]))


def compared(time: Mapping[str, Any]) -> dict[str, Any]:
    """Return one size: the ratio is of medians; its spread, of the quartiles that are closest and furthest."""
    mine, info = time["stats"], time["extra_info"]
    theirs = info["peer"]
    return {
        "size": dict(info["size"]),
        "ours": {key: mine[key] for key in ("median", "q1", "q3", "rounds")} | {"memory": info["memory"]},
        "peer": theirs,
        "ratio": theirs["median"] / mine["median"],
        "spread": [theirs["q1"] / mine["q3"], theirs["q3"] / mine["q1"]],
        "difference": info["difference"],
        "threads": info["threads"],
        "limit": share_of_limit(info, mine["median"]),
    }


def share_of_limit(info: Mapping[str, Any], seconds: float) -> float | None:
    """Return the larger share of what arithmetic and memory allow; None where the work has neither as its limit."""
    shares = [info[kind] / seconds / info[f"{kind}_limit"] for kind in ("flops", "bytes") if info[kind]]
    return max(shares, default=None)


def growth(step: Step, sizes: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Return the exponent of our time in each number of the sizes, between the last two that differ in it alone."""
    found = {}
    for key, expected in step.growth.items():
        pairs = [(a, b) for i, a in enumerate(sizes) for b in sizes[i + 1 :] if differ_in(a["size"], b["size"], key)]
        if pairs:
            a, b = pairs[-1]
            times = math.log(b["ours"]["median"] / a["ours"]["median"])
            found[key] = {"measured": times / math.log(b["size"][key] / a["size"][key]), "expected": expected}
    return found


def differ_in(a: Mapping[str, Any], b: Mapping[str, Any], key: str) -> bool:
    """Return whether two sizes differ in one number only."""
    return [name for name in a if a[name] != b[name]] == [key]


def record(step: Step, sizes: list[dict[str, Any]], times: Mapping[str, Any], run: int) -> dict[str, Any]:
    """Return the record of a step, whose value is the ratio at the largest size; the times may be another machine's."""
    machine, where = machine_of(times), times["benchmarks"][0]["extra_info"]
    return make_record(
        method=step.name,
        teacher=None,
        student="random weights",
        task="speed",
        seed=run,
        metric="ratio of the peer's median time to ours",
        value=sizes[-1]["ratio"],
        n=sizes[-1]["ours"]["rounds"],
        interval=None,
        configuration={name: getattr(step, name) for name in ("title", "peer", "reach", "says")},
        fingerprints={"teacher": None, "student": None, "data": json_fingerprint([each["size"] for each in sizes])},
        seconds=sum(each[who]["median"] * each[who]["rounds"] for each in sizes for who in ("ours", "peer")),
        details={"sizes": sizes, "growth": growth(step, sizes), "machine": machine},
        device=machine["device"],
        commit=where["commit"],
        versions=where["versions"],
        created=times["datetime"],
        command="make bench",
    )


def machine_of(times: Mapping[str, Any]) -> dict[str, Any]:
    """Return processor, number of its cores and device of a run."""
    processor = times["machine_info"]["cpu"]
    return {
        "processor": processor.get("brand_raw", "an unknown processor"),
        "cores": processor.get("count"),
        "device": times["benchmarks"][0]["extra_info"]["device"],
    }


def row(step: Step, sizes: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return a row of the table, of the largest size."""
    last = sizes[-1]
    grown = ", ".join(f"{key} {e['measured']:.1f} ({e['expected']:g})" for key, e in growth(step, sizes).items())
    memory = "/".join(
        "-" if last[who]["memory"] is None else f"{last[who]['memory'] / 1e6:.0f}" for who in ("ours", "peer")
    )
    return {
        "step": step.name,
        "ours": f"{last['ours']['median']:.3g} s",
        "peer": f"{last['peer']['median']:.3g} s",
        "ratio": f"{last['ratio']:.2f} [{last['spread'][0]:.2f}, {last['spread'][1]:.2f}]",
        "reach": f"{step.reach:g}",
        "memory": f"{memory} MB",
        "limit": "-" if last["limit"] is None else f"{last['limit']:.0%}",
        "difference": f"{last['difference']:.0e}",
        "growth": grown or "-",
    }


def fallen(step: Step, sizes: Sequence[Mapping[str, Any]], folder: Path) -> str | None:
    """Return a line if the ratio is less than two thirds of the smallest on record for the same size."""
    records = [read_record(path) for path in sorted(folder.glob(f"{step.name}--*.json"))]
    known = [e["ratio"] for r in records for e in r["details"]["sizes"] if e["size"] == sizes[-1]["size"]]
    if known and sizes[-1]["ratio"] < FALL * min(known):
        return f"{step.name}: {sizes[-1]['ratio']:.2f} times the peer's speed, and {min(known):.2f} on record"
    return None


def report(files: Sequence[Path], run: int | None) -> list[str]:
    """Print the table of some times, write their records if a run is given, and return a line for each fallen ratio."""
    steps, rows, problems = {step.name: step for step in all_steps()}, [], []
    for times in filter(lambda each: each["benchmarks"], map(read_json, files)):
        step = steps[times["benchmarks"][0]["extra_info"]["step"]]
        folder = results_dir() / "bench" / machine_of(times)["device"].replace(" ", "-")
        sizes = sizes_of(step, times["benchmarks"])
        rows.append(row(step, sizes))
        problems += [line] if (line := fallen(step, sizes, folder)) else []
        if run:
            write_record(folder / f"{step.name}--{run}.json", record(step, sizes, times, run))
    for line in [dict(zip(("step", *COLUMNS), ("step", *COLUMNS), strict=True)), *rows]:
        print("  ".join(f"{line[key]:>{9 if key in ('ours', 'peer', 'reach', 'limit') else 22}}" for key in line))
    return problems
