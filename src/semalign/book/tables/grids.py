"""Tables of the choice of settings: scores of grid points on validation data, and the best points."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from semalign.book.markdown import settings_text
from semalign.book.tables.paper import title
from semalign.book.tables.transfers import NOT_RUN
from semalign.experiments.profiles import Profile
from semalign.experiments.selection import chosen

HARDLY = 0.001  # nats per token


def with_texts(profile: Profile, grid: pd.DataFrame) -> pd.DataFrame:
    """Return the points of a grid with the title of their benchmark and, as text, the settings that tell them apart.

    Args:
        profile: the profile of the grid.
        grid: scores of all points; see :func:`semalign.experiments.selection.finished`.
    """
    settings = [{name: line[name] for name in varied(profile, line["variant"])} for _, line in grid.iterrows()]
    return grid.assign(settings=list(map(settings_text, settings)), benchmark=grid["task"].map(title))


def varied(profile: Profile, entry: str) -> dict[str, list[Any]]:
    """Return the settings of which the grid of an entry has several values, with these values."""
    return {name: values for name, values in profile.selection[entry].items() if len(values) > 1}


def grid_size(grid: pd.DataFrame) -> str:
    """Return the size of a grid in words."""
    points = grid.groupby("variant", sort=False)["point"].nunique()
    sizes = " or ".join(map(str, sorted(set(points))))
    return f"{len(points)} entries, {sizes} points each, {grid['n'].max()} validation items"


def ends(profile: Profile, points: pd.DataFrame) -> "pd.Series[str]":
    """Return for each point ``lowest`` or ``highest`` if a number among its settings is at that end of those tried."""

    def end(line: "pd.Series[Any]") -> str:
        tried = varied(profile, line["variant"]).items()
        numbers = {name: values for name, values in tried if {type(value) for value in values} <= {int, float}}
        if any(line[name] == min(values) for name, values in numbers.items()):
            return "lowest"
        return "highest" if any(line[name] == max(values) for name, values in numbers.items()) else ""

    return points.apply(end, axis=1)


def ends_text(profile: Profile, grid: pd.DataFrame) -> str:
    """Return how many chosen points are at an end of their grid, in Markdown.

    The lowest rates hardly change the student, so that below a chosen one that has not lowered the NLL of the responses
    there is only the student as it was.
    """
    best = grid[grid["best"]]
    found = ends(profile, best)
    lowest, highest = best[found == "lowest"], best[found == "highest"]
    idle = lowest["response_nll"] > lowest["nll_before"] - HARDLY
    return (
        f"Of {len(best)} choices {len(lowest)} took the lowest value that was tried, and {len(highest)} the highest"
        f"{_named(highest)}. At {idle.sum()} of the lowest the validation NLL is at most {HARDLY} nats below that of "
        f"the student as it was: further down there is nothing but no training. At {(~idle).sum()} it is lower"
        f"{_named(lowest[~idle])}."
    )


def _named(points: pd.DataFrame) -> str:
    named = ", ".join(f"`{line['variant']}` on {title(line['task'])}" for _, line in points.iterrows())
    return f" ({named})" if named else ""


def chosen_table(profile: Profile, grid: pd.DataFrame) -> pd.DataFrame:
    """Return the chosen point of each entry, one column for each benchmark; points at an end of the grid are marked."""
    points = with_texts(profile, grid[grid["best"]])
    marks = ends(profile, points).map(lambda end: f" ({end})" if end else "")
    points["settings"] = points["settings"] + marks
    return _wide(profile, points.pivot(index="variant", columns="benchmark", values="settings"), ["entry"])


def whole_grid_table(profile: Profile, grid: pd.DataFrame) -> pd.DataFrame:
    """Return the validation score of every point, one column for each benchmark, the chosen points in bold."""
    points = with_texts(profile, grid)
    texts = points["value"].map("{:.1f}".format)
    points["score"] = texts.where(~points["best"], "**" + texts + "**")
    table = points.pivot(index=["variant", "point", "settings"], columns="benchmark", values="score")
    return _wide(profile, table, ["entry", "point", "settings"])


def lowest_points(searched: pd.DataFrame) -> pd.DataFrame:
    """Return the point of each entry and task whose response NLL is lowest, with the title of its benchmark."""
    points = searched.assign(benchmark=searched["task"].map(title))
    return points.loc[points.groupby(["variant", "task"], sort=False)["response_nll"].idxmin()]


def search_table(profile: Profile, searched: pd.DataFrame) -> pd.DataFrame:
    """Return the lowest response NLL of each entry with the score at that point, one column for each benchmark."""
    lowest = lowest_points(searched)
    texts = [f"{nll:.4f} ({score:.1f})" for nll, score in zip(lowest["response_nll"], lowest["value"], strict=True)]
    table = lowest.assign(text=texts).pivot(index="variant", columns="benchmark", values="text")
    return _wide(profile, table.loc[list(dict.fromkeys(searched["variant"]))], ["entry"])


def _wide(profile: Profile, table: pd.DataFrame, first: Sequence[str]) -> pd.DataFrame:
    """Return a pivoted table with the ``first`` columns and then the benchmarks in the order of the profile."""
    titles = [title(task) for task in profile.tasks]
    frame = table.reset_index().rename(columns={"variant": "entry"}).fillna(NOT_RUN)
    return frame[[*first, *(name for name in titles if name in frame)]]


def not_as_chosen(profile: Profile, grid: pd.DataFrame) -> list[str]:
    """Return the entries and benchmarks for which the profile's settings differ from the chosen point.

    Raises:
        ValueError: if the grid of the profile differs from the grid that was run.
    """
    try:
        variants = chosen(profile, grid)
    except (IndexError, KeyError):
        raise ValueError(f"The grid of profile {profile.name} is not the one that was run.") from None
    return [
        f"{entry} on {title(task)}"
        for entry, tasks in variants.items()
        for task in profile.tasks
        if task in tasks and {**profile.settings_for(task, entry), **tasks[task]} != profile.settings_for(task, entry)
    ]
