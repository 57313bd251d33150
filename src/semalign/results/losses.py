"""Differences between the held-out losses of methods, paired by row, from the run records of a folder."""

from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float
from numpy import ndarray

from semalign.results.records import read_records
from semalign.results.statistics import holm, seeded_bootstrap

COLUMNS = ["task", "entry", "base", "difference", "low", "high", "p", "nll", "seeds", "n", "p_holm"]


def loss_differences(
    folder: Path, bases: Mapping[str, str], *, only: Collection[str] | None = None, resamples: int = 10_000
) -> pd.DataFrame:
    """Return "entry minus base" of the mean response NLL of the held-out rows, in nats per token, one line for a task.

    Intervals and p values come from :func:`semalign.results.statistics.seeded_bootstrap` over rows and seeds;
    ``p_holm`` is corrected over all lines. An entry or a base without records has no line.

    Args:
        folder: folder of run records.
        bases: the entry that each entry is compared with.
        only: names of the files to read; None for all.
        resamples: number of bootstrap resamples.

    Raises:
        FileNotFoundError: if there is no such folder.
        ValueError: if two entries were not measured on as many rows.
    """
    records = read_records(folder, only)
    found = {key: _rows(part) for key, part in records.groupby(["task", "method"], sort=False)}
    lines = []
    for task in dict.fromkeys(records["task"]):
        for entry, base in bases.items():
            if (task, entry) in found and (task, base) in found:
                ours, theirs = found[task, entry], found[task, base]
                drawn = seeded_bootstrap(ours, theirs, resamples=resamples)
                lines.append([task, entry, base, *drawn, float(ours.mean()), *ours.shape, None])
    table = pd.DataFrame(lines, columns=COLUMNS)
    table["p_holm"] = holm(table["p"].tolist())
    return table


def _rows(records: pd.DataFrame) -> Float[ndarray, "seeds rows"]:
    """Return the response NLL of each held-out row after each run."""
    return np.array([details["held_out"]["row_nll"] for details in records.sort_values("seed")["details"]])
