"""Tables of what trainings did: score, steps, change of the weights, layer cosine and held-out NLL of every entry."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from semalign.book.markdown import SPACE, Cell, Interval
from semalign.book.tables.controls import AS_IT_IS, label
from semalign.book.tables.paper import title
from semalign.book.tables.transfers import NO_NUMBER, NOT_RUN
from semalign.data.task_file import task_name
from semalign.experiments.profiles import Profile
from semalign.results.pairs import NLL, values_of
from semalign.results.records import NONE
from semalign.results.resampling import seeded_bootstrap
from semalign.results.statistics import mean_interval

NAN = float("nan")
MEANS = ("steps", "weight_change", "layer_cosine_before", "layer_cosine_after")


def training_lines(
    profile: Profile,
    records: pd.DataFrame,
    entries: Sequence[str],
    before: Mapping[str, Sequence[float]],
    teacher: str | None = None,
) -> pd.DataFrame:
    """Return one line for each task and entry that has records from one teacher.

    Scores and their interval are over seeds, ``gain`` is the mean score minus the student's; steps, change of the
    weights and layer cosines are means over seeds. ``nll`` is the mean over rows and seeds, ``change`` its difference
    from the student before, paired by row, with a 95% interval over rows and seeds. ``idle`` of ``seeds`` runs did not
    train (:attr:`semalign.results.training.Training.trained`). What a record does not say is NaN.

    Args:
        profile: the profile.
        records: current ones, see :func:`semalign.results.records.read_records`.
        entries: methods and variants.
        before: the NLL of each held-out row by the student as it is, for each task; without it there is no ``change``.
        teacher: the teacher; by default the general one.
    """
    of_student = records[records["student"] == profile.student]
    starts = of_student[of_student["method"] == NONE].set_index("task")["value"]
    lines = []
    for task in map(task_name, profile.tasks):
        for entry in entries:
            chosen = (of_student["task"] == task) & (of_student["method"] == entry)
            runs = of_student[chosen & (of_student["teacher"] == (teacher or profile.teacher))]
            if len(runs):
                line = {"task": task, "entry": entry, **_scores(runs, starts.get(task, NAN))}
                lines.append({**line, **_trained(runs), **_losses(runs, before.get(task))})
    return pd.DataFrame(lines, columns=COLUMNS)


COLUMNS = ["task", "entry", "seeds", "score", "low", "high", "gain", *MEANS, "idle"]
COLUMNS += ["nll", "nll_before", "change", "change_low", "change_high"]


def _scores(runs: pd.DataFrame, start: float) -> dict[str, Any]:
    value, low, high = mean_interval(runs["value"].tolist())
    if len(runs) == 1:
        low, high = runs[["low", "high"]].iloc[0].astype(float)
    return {"seeds": len(runs), "score": value, "low": low, "high": high, "gain": value - start}


def _trained(runs: pd.DataFrame) -> dict[str, Any]:
    means = {name: float(runs[name].astype(float).mean()) for name in MEANS}
    said = runs["trained"].dropna()
    return {**means, "idle": float((~said.astype(bool)).sum()) if len(said) == len(runs) else NAN}


def _losses(runs: pd.DataFrame, before: Sequence[float] | None) -> dict[str, Any]:
    after = values_of(runs, NLL)
    if after is None:
        return {}
    if before is None:  # as the records give both, over all tokens and without rows
        return {name: float(runs[of].astype(float).mean()) for name, of in (("nll", "nll_after"), ("nll_before",) * 2)}
    start = np.array([before], dtype=float)
    change, low, high, _ = seeded_bootstrap(after, start)
    found = {"nll": float(after.mean()), "nll_before": float(start.mean())}
    return {**found, "change": change, "change_low": low, "change_high": high}


def training_table(
    profile: Profile, lines: pd.DataFrame, records: pd.DataFrame, entries: Sequence[str], teacher: str | None = None
) -> pd.DataFrame:
    """Return the table of all entries and tasks of a profile, with the student as it is first.

    Entries without a record are counted in the last line of each task, which says that they were *not run*.

    Args:
        profile: the profile.
        lines: see :func:`training_lines`.
        records: current ones, for the student's own scores.
        entries: methods and variants.
        teacher: the teacher that the lines are of; by default the general one.
    """
    found = {(line["task"], line["entry"]): line for _, line in lines.iterrows()}
    own = records[(records["method"] == NONE) & (records["student"] == profile.student)].set_index("task")
    rows = []
    for key in profile.tasks:
        task = task_name(key)
        asked = [entry for entry in entries if (teacher or profile.teacher) in profile.teachers_for(key, entry)]
        if asked and task in own.index:
            start = own.loc[task]
            rows.append(
                _row(task, AS_IT_IS, {"score": Interval(start["value"], start["low"], start["high"]), "trained": ""})
            )
        run = [entry for entry in asked if (task, entry) in found]
        rows += [_row(task, label(entry), _cells(found[task, entry])) for entry in run]
        if lacking := len(asked) - len(run):
            said = {"score" if profile.scored else "NLL": NOT_RUN}
            rows.append(_row(task, f"{lacking} more" if run else f"all {lacking} entries", said))
    return pd.DataFrame(rows)


SHOWN = ["seeds", "score", "steps", "weights, %", "layer cosine", "NLL", "change of NLL", "trained"]


def _row(task: str, entry: str, cells: Mapping[str, Any]) -> dict[str, Any]:
    return {"data": title(task), "entry": entry, **dict.fromkeys(SHOWN, NO_NUMBER), **cells}


def _cells(line: pd.Series) -> dict[str, Any]:
    score = Interval(line["score"], line["low"], line["high"])
    cells: dict[str, Any] = {"seeds": f"{line['seeds']:.0f}", "score": score, "trained": trained_text(line)}
    if not np.isnan(line["steps"]):
        cells["steps"] = f"{line['steps']:.0f}"
    if not np.isnan(line["weight_change"]):
        cells["weights, %"] = f"{100 * line['weight_change']:.2f}"
    if not np.isnan(line["layer_cosine_before"]):
        cells["layer cosine"] = change_cell("layer cosine", line["layer_cosine_before"], line["layer_cosine_after"], 3)
    if not np.isnan(line["nll_before"]):
        cells["NLL"] = change_cell("NLL", line["nll_before"], line["nll"], NLL.decimals)
    if not np.isnan(line["change"]):
        cells["change of NLL"] = Interval(
            line["change"], line["change_low"], line["change_high"], signed=True, decimals=NLL.decimals
        )
    return cells


def change_cell(name: str, before: float, after: float, decimals: int = 3) -> Cell:
    """Return the cell of a measurement before and after a training."""
    text = f"{before:.{decimals}f}{SPACE}→{SPACE}{after:.{decimals}f}"
    return Cell(text, {f"{name}, before": before, f"{name}, after": after})


def trained_text(line: pd.Series) -> str:
    """Return whether the runs of an entry trained: yes, no, or how many of them did.

    >>> trained_text(pd.Series({"idle": 1.0, "seeds": 5}))
    '4 of 5'
    """
    if np.isnan(line["idle"]):
        return NO_NUMBER
    if line["idle"] in (0, line["seeds"]):
        return "no" if line["idle"] else "yes"
    return f"{line['seeds'] - line['idle']:.0f} of {line['seeds']:.0f}"


def change_points(named: Sequence[tuple[Profile, pd.DataFrame]]) -> pd.DataFrame:
    """Return the lines of several profiles, see :func:`training_lines`, with ``profile`` and the method's ``kind``."""
    parts = [
        lines.assign(profile=profile.name, kind=[profile.method_of(entry).kind for entry in lines["entry"]])
        for profile, lines in named
    ]
    return pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)[POINTS]


POINTS = ["profile", "task", "entry", "kind", "seeds", "weight_change", "gain"]


def curve_table(points: pd.DataFrame) -> pd.DataFrame:
    """Return the held-out NLL along curves: at the start, its lowest after that with its step, and at the end.

    Args:
        points: see :func:`semalign.experiments.curves.points`; seeds are averaged.
    """
    means = points.groupby(["task", "method", "step"], sort=False)["response_nll"].mean()
    rows = []
    for (task, method), line in means.groupby(level=["task", "method"], sort=False):
        nll = line.droplevel(["task", "method"]).sort_index()
        later = nll[nll.index > 0]
        ends = {"start": nll.iloc[0], "lowest": later.min(), "after steps": later.idxmin(), "end": nll.iloc[-1]}
        rows.append({"data": title(task), "entry": label(method), **ends})
    return pd.DataFrame(rows, columns=["data", "entry", "start", "lowest", "after steps", "end"])
