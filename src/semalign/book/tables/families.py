"""The table of transfers between two families of models, whose records hold the NLL of every held-out row."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from semalign.book.markdown import Interval
from semalign.book.tables.published import BENCHMARKS
from semalign.book.tables.transfers import NOT_RUN
from semalign.results.records import NONE, read_record
from semalign.results.resampling import seeded_bootstrap

Record = Mapping[str, Any]
CONTROL = "permuted-atoms"
WEIGHTS = "weights, %"
NAMES = {
    NONE: "the student before",
    "semalign": "the paper's, shared atoms by bytes",
    CONTROL: "permuted atoms",
    "cross-entropy": "cross-entropy alone",
    "logit-kl": "KL to the teacher over shared tokens",
}


def family_records(folder: Path) -> dict[tuple[str, str], list[Record]]:
    """Return the records of each task and method, in the order of their seeds; none for what was not run."""
    return {
        (task, method): [read_record(path) for path in sorted(folder.glob(f"{task}--{method}--*.json"))]
        for task in ("gsm8k", "mbpp")
        for method in NAMES
    }


def family_table(records: Mapping[tuple[str, str], Sequence[Record]]) -> pd.DataFrame:
    """Return the NLL of each task and method with paired differences, in nats per response token.

    Differences are from the student before and from permuted atoms, on the same rows, with 95% bootstrap intervals over
    rows and seeds. The change of the trained weights is a share of their norm, in percent; without records that say it,
    the column is left out.

    Args:
        records: the records of each task and method (:func:`family_records`).
    """
    lines = []
    for (task, method), runs in records.items():
        what = {"data": BENCHMARKS.get(task, task), "method": NAMES[method]}
        lines.append({**what, **(_numbers(runs, records, task, method) if runs else {"NLL": NOT_RUN})})
    table = pd.DataFrame(lines).fillna("")
    return table.drop(columns=[name for name in table if name == WEIGHTS and not table[name].any()])


def _numbers(
    runs: Sequence[Record], records: Mapping[tuple[str, str], Sequence[Record]], task: str, method: str
) -> dict[str, str | Interval]:
    mean = sum(run["value"] for run in runs) / len(runs)
    line: dict[str, str | Interval] = {"NLL": f"{mean:.4f}", "seeds": "" if method == NONE else str(len(runs))}
    for column, other in (("against before", NONE), ("against permuted", CONTROL)):
        compared = method not in (NONE, other) and bool(records.get((task, other)))
        line[column] = _difference(runs, records[task, other]) if compared else ""
    if method != NONE:
        line[WEIGHTS] = _weight_change(runs)
        line["CPU seconds"] = f"{sum(run['details']['cpu_seconds'] for run in runs) / len(runs):.0f}"
        line["peak GiB"] = f"{max(run['details']['peak_memory_bytes'] for run in runs) / 2**30:.1f}"
    return line


def _weight_change(runs: Sequence[Record]) -> str:
    """Return the mean change of the trained weights as a share of their norm; empty where a record lacks it."""
    found = [run["details"].get("weight_change") for run in runs]
    return "" if None in found else f"{100 * sum(found) / len(found):.2f}"


def _difference(ours: Sequence[Record], theirs: Sequence[Record]) -> Interval:
    found = seeded_bootstrap(*(np.array([run["details"]["row_nll"] for run in side]) for side in (ours, theirs)))
    return Interval(found.value, found.low, found.high, signed=True, decimals=4)
