"""Sentences of the chapters on results, whose numbers come from the tables that they are about."""

from collections.abc import Sequence

import pandas as pd

from semalign.book.figures.course import NAMES
from semalign.book.figures.decomposition import PLACES
from semalign.book.markdown import interval, rounded
from semalign.book.tables.grids import lowest_points
from semalign.book.tables.paper import in_order, title
from semalign.book.tables.transfers import NOT_RUN
from semalign.data.task_file import task_name
from semalign.experiments.profiles import Profile
from semalign.results.records import NONE
from semalign.results.statistics import ALPHA, wilson_interval


def gains(profile: Profile, scores: pd.DataFrame, entry: str) -> str:
    """Return how far an entry's mean score from the general teacher is above the student's, by benchmark, in points.

    Args:
        profile: the profile.
        scores: see :func:`semalign.experiments.runs.summary`.
        entry: a method or variant.
    """
    found = []
    for task in profile.tasks:
        of_task = scores[(scores["task"] == task_name(task)) & (scores["student"] == profile.student)]
        ours = of_task[(of_task["method"] == entry) & (of_task["teacher"] == profile.teacher)]["value"]
        start = of_task[of_task["method"] == NONE]["value"]
        if len(ours) and len(start):
            found.append(f"{title(task)} {interval(ours.iloc[0] - start.iloc[0], NAN, NAN, signed=True)}")
    return ", ".join(found) or NOT_RUN


NAN = float("nan")


def leaders(leads: pd.DataFrame) -> str:
    """Return which method has the highest mean score how often.

    Args:
        leads: see :func:`semalign.book.tables.transfers.lead_table`.
    """
    counted = leads[leads["highest"] != ""]["highest"].value_counts()
    return ", ".join(f"{name} in {number} of {len(leads)}" for name, number in counted.items()) or NOT_RUN


def search_differences(searched: pd.DataFrame, entries: Sequence[str], other: str) -> str:
    """Return the lowest response NLL of entries of a search minus that of another, in nats per token, by benchmark.

    Args:
        searched: the points of the search.
        entries: variants.
        other: the variant that they are compared with.
    """
    lowest = lowest_points(searched).pivot(index="variant", columns="task", values="response_nll")
    texts = []
    for entry in entries:
        if {entry, other} <= set(lowest.index):
            change = (lowest.loc[entry] - lowest.loc[other]).dropna().sort_index(key=in_order)
            by_task = (f"{title(task)} {rounded(value, 4):+.4f}" for task, value in change.items())
            texts.append(f"`{entry}` {', '.join(by_task)}")
    return "; ".join(texts) or NOT_RUN


def untrained(lines: pd.DataFrame) -> str:
    """Return how many entries and benchmarks did not train in any run, and which.

    Args:
        lines: see :func:`semalign.book.tables.trainings.training_lines`.
    """
    said = lines.dropna(subset=["idle"])
    if said.empty:
        return NOT_RUN
    idle = said[said["idle"] == said["seeds"]]
    tasks = idle.groupby("entry", sort=False)["task"].agg(lambda names: ", ".join(map(title, names)))
    named = f": {'; '.join(f'`{entry}` on {names}' for entry, names in tasks.items())}" if len(idle) else ""
    return f"{len(idle)} of {len(said)}{named}"


def verdicts(lines: pd.DataFrame) -> str:
    """Return in how many cases of a table of pairs two entries are equal, differ, and neither.

    Of equal ones it says how many are so because no run of either entry trained. Cases with one seed are counted apart.

    Args:
        lines: see :func:`semalign.results.pairs.pair_differences`.
    """
    single = lines["single"].astype(bool)
    alone = f"one seed, which decides nothing, in {single.sum()}" if single.any() else ""
    if single.all():
        return alone or NOT_RUN
    found = _verdicts(lines[~single])
    return f"{found}; {alone}" if alone else found


def _verdicts(lines: pd.DataFrame) -> str:
    equal, differ = lines["equal"].astype(bool), lines["p_holm"] < ALPHA
    both, neither = int((equal & differ).sum()), int((~equal & ~differ).sum())
    only = int((differ & ~equal).sum())
    others = f" other{'' if only == 1 else 's'}" if both else ""
    within = f", {both} of them with a shown difference inside the margin" if both else ""
    idle = int((equal & lines["idle"].astype(bool)).sum())
    still = f", {idle} of them because neither entry trained in any run" if idle else ""
    return f"equal in {equal.sum()} of {len(lines)} cases{within}{still}, differs in {only}{others}, open in {neither}"


def swept(lines: pd.DataFrame, tasks: Sequence[str]) -> str:
    """Return a list, in Markdown, of what training each layer did to the held-out NLL, by task.

    Args:
        lines: see :func:`semalign.experiments.sweep.table`.
        tasks: the tasks, run or not.
    """
    return "\n".join(f"- {title(task)}: {_swept(lines[lines['task'] == task_name(task)])}." for task in tasks)


def _swept(lines: pd.DataFrame) -> str:
    if lines.empty:
        return NOT_RUN
    change = lines.assign(change=lines["nll_after"] - lines["nll_before"])
    low, high = (change.loc[index] for index in (change["change"].idxmin(), change["change"].idxmax()))
    ends = (
        f"{line['change']:+.4f} ({NAMES[line['map']]}, {PLACES[line['interface']]}, layer {line['student_layer']})"
        for line in (low, high)
    )
    maps = change.pivot_table(index=["interface", "student_layer"], columns="map", values="change")
    fallen = int((change["change"] < 0).sum())
    said = f"{fallen} of {len(change)} trainings lower the NLL; changes go from {' to '.join(ends)}"
    if {"semantic", "permuted"} <= set(maps):
        both = (maps["semantic"] - maps["permuted"]).dropna()
        below = f"below zero in {(both < 0).sum()} of {len(both)} places"
        said += f"; real minus permuted atoms is {below}, with a mean of {both.mean():+.4f}"
    return said


def clear_differences(lines: pd.DataFrame) -> str:
    """Return how often a method is shown to score higher than another, after correction, and how often lower.

    Args:
        lines: see :func:`semalign.results.comparisons.differences`.
    """
    if lines.empty:
        return NOT_RUN
    clear = lines[lines["p_holm"] < ALPHA]["difference"]
    return f"of {len(lines)} comparisons, higher in {(clear > 0).sum()} and lower in {(clear < 0).sum()}"


def half_width(n: int) -> float:
    """Return half of the 95% interval of a score of one half over ``n`` items, in points.

    >>> round(half_width(200), 1)
    6.9
    """
    low, high = wilson_interval(n // 2, n)
    return 50 * (high - low)
