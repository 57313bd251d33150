"""The grids that settings are chosen from: their points, and the names of the points' records."""

import json
from collections.abc import Collection, Iterator, Sequence
from itertools import product
from typing import Any, NamedTuple

from semalign.errors import nearest
from semalign.experiments.cells import picked
from semalign.experiments.profiles import Profile


class Point(NamedTuple):
    """One point of a grid.

    Attributes:
        task: the task that it is scored on.
        entry: the method or variant whose settings are chosen.
        number: its place in the grid, from 0.
        settings: what the grid sets at this point.
        file_name: name of its record. Entries of one method share the record of a point that they have in common.
            What an entry sets besides its grid is in the name too, so that they have no other record in common.
    """

    task: str
    entry: str
    number: int
    settings: dict[str, Any]
    file_name: str


def grid(profile: Profile, entry: str) -> Iterator[dict[str, Any]]:
    """Yield the settings of each point of a grid, the product of the lists that the profile gives for an entry."""
    choices = profile.selection[entry]
    for values in product(*choices.values()):
        yield dict(zip(choices, values, strict=True))


def points(profile: Profile, names: Sequence[str] | None = None, records: Sequence[str] | None = None) -> list[Point]:
    """Return the points of all tasks and of some entries, by default of all that have a grid.

    Args:
        profile: the profile.
        names: the entries.
        records: names of records, to which the points are restricted; see :func:`semalign.experiments.cells.picked`.
    """
    found = [
        Point(task, entry, number, settings, _file_name(profile, task, entry, settings))
        for task, entry in product(profile.tasks, names or profile.selection)
        for number, settings in enumerate(grid(profile, entry))
    ]
    return picked(found, records)


def _file_name(profile: Profile, task: str, entry: str, settings: dict[str, Any]) -> str:
    """Return a name to read: the task, the method, and the settings of the entry and the point, in order."""
    values = (f"{key}={_text(value)}" for key, value in sorted({**profile.changes(task, entry), **settings}.items()))
    return f"{task}--{profile.method_of(entry).name}--{','.join(values)}.json".replace("/", "_")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def check_entries(profile: Profile, entries: Sequence[str]) -> None:
    """Raise ``ValueError`` if there is no grid for an entry, or none at all."""
    if not profile.selection:
        raise ValueError(f"profile {profile.name} has no grid: give it the values to choose from under `selection`")
    if unknown := set(entries) - set(profile.selection):
        wrong = sorted(unknown)
        raise ValueError(
            f"no grid for {', '.join(wrong)}: profile {profile.name} has {', '.join(profile.selection)}"
            f"{nearest(wrong[0], profile.selection)}"
        )


def check_grids(profile: Profile, entries: Sequence[str]) -> None:
    """Check that the grids of these entries can be run, as :func:`check_points` does, and compared.

    Raises:
        ValueError: for an entry without a grid, a point that its method refuses, or grids that do not all have the same
            number of points: methods must be tuned alike.
    """
    check_points(profile, entries)
    sizes = {entry: len(list(grid(profile, entry))) for entry in profile.selection}
    if len(set(sizes.values())) > 1:
        raise ValueError(f"the grids must have the same number of points: {sizes}")


def check_points(profile: Profile, entries: Sequence[str]) -> None:
    """Raise ``ValueError`` for an entry without a grid, or a point that its method refuses."""
    check_entries(profile, entries)
    for point in points(profile, entries):
        try:
            profile.method_of(point.entry).settings(**settings_at(profile, point))
        except ValueError as error:
            raise ValueError(f"profile {profile.name}: selection of {point.entry}: {error}") from error


def not_chosen(profile: Profile, entries: Collection[str]) -> list[str]:
    """Return those of the entries whose variant does not set, on every task, all settings that their grid varies."""

    def left_open(entry: str) -> bool:
        variant, searched = profile.variants.get(entry), profile.selection[entry].keys()
        return variant is None or any(searched - variant.settings_for(task).keys() for task in profile.tasks)

    return [entry for entry in profile.selection if entry in entries and left_open(entry)]


def settings_at(profile: Profile, point: Point) -> dict[str, Any]:
    """Return all settings of a point: those of its entry, the point's in their place, and the first seed."""
    return {**profile.settings_for(point.task, point.entry), **point.settings, "seed": profile.seeds[0]}
