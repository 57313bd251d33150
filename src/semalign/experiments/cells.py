"""The cells of a comparison: the numbers that its tables hold, listed before any of them is measured."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol, TypeVar, runtime_checkable

from semalign.data.task_file import task_name
from semalign.errors import nearest
from semalign.experiments.profiles import Profile
from semalign.methods.registry import methods
from semalign.results.record_paths import check_length
from semalign.results.records import NONE, PAPER


@runtime_checkable
class Recorded(Protocol):
    """Something that gives one record."""

    @property
    def file_name(self) -> str:
        """Name of the record's file."""
        ...


R = TypeVar("R", bound=Recorded)


class Cell(NamedTuple):
    """One number of a table.

    Attributes:
        method: a method or variant; ``none`` for a model as it is.
        teacher: the larger model; None for a model as it is.
        student: the smaller model, or the model that is scored as it is.
        task: a bundled task, or the path of a task file.
        seed: of the transfer; None for a model as it is.
    """

    method: str
    teacher: str | None
    student: str
    task: str
    seed: int | None

    @property
    def file_name(self) -> str:
        """Name of the record's file."""
        parts = (self.method, self.teacher, self.student, task_name(self.task), self.seed)
        return "--".join(str(part).replace("/", "_") for part in parts if part is not None) + ".json"


def entries_of(profile: Profile, names: Sequence[str] | None = None) -> list[str]:
    """Return the entries of a comparison: methods of the registry and variants of the profile.

    Args:
        profile: the profile.
        names: some of them, or ``["all"]``; None: SemAlign, and all that the profile names under ``variants``.

    Raises:
        ValueError: for an unknown name; it lists the known ones.
    """
    known = list(dict.fromkeys([*methods(), *profile.variants]))
    if names is None:
        return list(dict.fromkeys([PAPER, *profile.variants]))
    if unknown := set(names) - {*known, "all"}:
        wrong = sorted(unknown)
        raise ValueError(
            f"no method or variant {', '.join(map(repr, wrong))}: choose from all, {', '.join(known)}"
            f"{nearest(wrong[0], known)}"
        )
    return known if "all" in names else list(dict.fromkeys(names))


def cells(profile: Profile, names: Sequence[str] | None = None, records: Sequence[str] | None = None) -> list[Cell]:
    """Return the cells of a profile: models as they are, then every method from every teacher with every seed.

    Of a profile that is not scored, each transfer measures the models before it, so that they are no cells.

    Args:
        profile: the profile.
        names: see :func:`entries_of`; with ``records``, None means all.
        records: names of records, to which the cells are restricted; see :func:`picked`.
    """
    return picked(_cells(profile, names if records is None else names or ["all"]), records)


def _cells(profile: Profile, names: Sequence[str] | None) -> Iterator[Cell]:
    for task in profile.tasks if profile.scored else ():
        for model in (profile.student, *profile.teachers_for(task)):
            yield Cell(NONE, None, model, task, None)
    for task in profile.tasks:
        for method in entries_of(profile, names):
            for teacher in profile.teachers_for(task, method):
                for seed in profile.seeds:
                    yield Cell(method, teacher, profile.student, task, seed)


def picked(found: Iterable[R], records: Sequence[str] | None) -> list[R]:
    """Return those whose records have one of these names, without ``.json``; None: all.

    Raises:
        ValueError: for a name that none of them has, with the nearest one.
        OSError: if a record would have too long a name.
    """
    found = list(found)
    for each in found:
        check_length(each.file_name)
    if records is None:
        return found
    names = [each.file_name.removesuffix(".json") for each in found]
    if unknown := [name for name in records if name not in names]:
        raise ValueError(f"no record {unknown[0]!r} belongs to this profile{nearest(unknown[0], names)}")
    return [each for each, name in zip(found, names, strict=True) if name in records]
