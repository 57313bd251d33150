"""A search on validation data as a table of losses: each entry at its best rate, beside its permuted form."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from semalign.book.markdown import Cell, Interval
from semalign.book.tables.paper import title
from semalign.book.tables.transfers import NOT_RUN
from semalign.experiments.grids import Point, points
from semalign.experiments.profiles import Profile
from semalign.experiments.selection_currency import missing
from semalign.results.records import read_record
from semalign.results.statistics import paired_bootstrap

Record = Mapping[str, Any]
LOWEST = "lowest"
Best = dict[tuple[str, str], tuple[Point, Record]]


def best_points(profile: Profile, folder: Path) -> Best:
    """Return for each task and entry the point with the lowest held-out NLL, and its record.

    An entry of which not every point has a current record is left out.

    Args:
        profile: profile of the search.
        folder: its records.
    """
    lacking = missing(profile, folder)
    grids: dict[tuple[str, str], list[Point]] = {}
    for point in points(profile):
        grids.setdefault((point.task, point.entry), []).append(point)
    return {
        key: min(((point, read_record(folder / point.file_name)) for point in grid), key=lambda each: _nll(each[1]))
        for key, grid in grids.items()
        if not any(point.file_name in lacking for point in grid)
    }


def loss_table(profile: Profile, found: Best, controls: Mapping[str, str]) -> pd.DataFrame:
    """Return the held-out NLL of every entry at its best rate, in nats per token, one line for each task and entry.

    A rate at an end of its grid has a dagger, since one beyond it might be better.

    Args:
        profile: profile of the search.
        found: see :func:`best_points`.
        controls: the entry that each entry is compared with, row by row, with a 95% interval.
    """
    return pd.DataFrame([line for task in profile.tasks for line in _lines(profile, found, controls, task)])


def loss_text(shown: pd.DataFrame) -> str:
    """Return for each task that was run which entry is best, and which are below their control, as a list in Markdown.

    Args:
        shown: see :func:`loss_table`.
    """
    run = shown[shown["NLL"] != NOT_RUN]
    return "\n".join(_said(str(task), of.set_index("entry")) for task, of in run.groupby("data", sort=False)) or NOT_RUN


def _said(task: str, of: pd.DataFrame) -> str:
    changes, against = of["against before"], of["against its control"]
    best = min(changes.index, key=lambda entry: changes[entry].value)
    compared = against[against != ""]
    below = [entry for entry, change in compared.items() if change.high < 0]
    named = [f"`{entry}`{' (at the lowest rate)' if _at_lowest(of['rate'][entry]) else ''}" for entry in below]
    return (
        f"- **{task}**: the loss is lowest with `{best}` ({changes[best]} against before). Below their control by more "
        f"than the interval: {', '.join(named) or 'none'} ({len(below)} of {len(compared)} entries with a control)."
    )


def _at_lowest(rate: Cell | str) -> bool:
    """Return whether a rate is the lowest that was tried, at which hardly anything is trained."""
    return isinstance(rate, Cell) and rate.data["end of the grid"] == LOWEST


def _lines(profile: Profile, found: Best, controls: Mapping[str, str], task: str) -> list[dict[str, Any]]:
    """Return a line for each entry of a task, or a single one if none was run."""
    if any((task, entry) in found for entry in profile.selection):
        return [_line(profile, found, controls, task, entry) for entry in profile.selection]
    return [_line(profile, found, controls, task, f"all {len(profile.selection)} entries")]


def _line(profile: Profile, found: Best, controls: Mapping[str, str], task: str, entry: str) -> dict[str, Any]:
    line: dict[str, Any] = {"data": title(task), "entry": entry}
    if (task, entry) not in found:
        return {**line, "rate": "", "NLL": NOT_RUN, "against before": "", "against its control": ""}
    point, record = found[task, entry]
    change = _nll(record) - record["details"]["before"]["response_nll"]
    control = found.get((task, controls.get(entry, "")))
    return {
        **line,
        "rate": _rate(point.settings["learning_rate"], profile.selection[entry]["learning_rate"]),
        "NLL": Interval(_nll(record), decimals=4),
        "against before": Interval(change, signed=True, decimals=4),
        "against its control": "" if control is None else _against(record, control[1]),
    }


def _rate(chosen: float, tried: Sequence[float]) -> Cell:
    end = {min(tried): LOWEST, max(tried): "highest"}.get(chosen, "")
    return Cell(f"{chosen:g}" + (" †" if end else ""), {"rate": chosen, "end of the grid": end})


def _against(record: Record, control: Record) -> Interval:
    estimate = paired_bootstrap(*(_rows(each) for each in (record, control)))
    return Interval(*estimate, signed=True, decimals=4)


def _rows(record: Record) -> Sequence[float]:
    """Return the NLL of each held-out row, in nats per token."""
    return record["details"]["held_out"]["row_nll"]


def _nll(record: Record) -> float:
    return record["details"]["after"]["response_nll"]
