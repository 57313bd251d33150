"""Checks of a profile: of the names of its tasks, models and variants, and of where it gives seeds."""

import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from semalign.data.task_file import task_file
from semalign.errors import nearest
from semalign.experiments.profile_parts import Variant
from semalign.methods.registry import methods
from semalign.results.records import PAPER
from semalign.settings import TransferSettings


def check_names(what: str, given: Iterable[str], known: Iterable[str]) -> None:
    """Raise ``ValueError`` for names that are not known, after the words ``what``."""
    if unknown := [name for name in given if name not in known]:
        raise ValueError(f"{what}: {', '.join(unknown)}{nearest(unknown[0], known)}")


def check_names_of_records(tasks: Iterable[str], models: Iterable[str]) -> None:
    """Raise ``ValueError`` for two tasks, or two models, that records would name alike."""
    names = [task_file(task).name for task in tasks]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"tasks: two have the name {twice.pop()}, and records go by the name: rename a file")
    given: dict[str, str] = {}
    for model in models:
        called = Path(model).name.removesuffix(".gguf")
        if (other := given.setdefault(called, model)) != model:
            raise ValueError(
                f"models: records would name both {other} and {model} {called!r}, and count them as one: give the "
                "path of a copy of one, or of a link to it, that has another name"
            )


def check_written_apart(what: str, names: Iterable[str]) -> None:
    """Raise ``ValueError`` for two names that are one in the name of a file, where ``_`` stands for ``/``."""
    given: dict[str, str] = {}
    for name in names:
        if (other := given.setdefault(name.replace("/", "_"), name)) != name:
            raise ValueError(f"{what}: the records of {other} and of {name} would have one file name: rename one")


def check_no_seed(tables: Mapping[str, Collection[str]]) -> None:
    """Raise ``ValueError`` if one of some tables of settings, given by their places, has a seed."""
    for where, settings in tables.items():
        if "seed" in settings:
            raise ValueError(f"{where}: it gives a seed, but seeds come from `seeds`, the same for every entry")


def check_variants(variants: Mapping[str, Variant], tasks: Collection[str]) -> None:
    """Make sure that the variants name tasks of the profile, and that none runs the paper's method by mistake.

    Raises:
        ValueError: for an unknown task, or a variant without ``method`` whose name seems to mean another method.
    """
    for name, variant in variants.items():
        if variant.method is None and (meant := meant_by(name)) is not None:
            raise ValueError(
                f"variant {name!r} is no method and would run {PAPER}: if {meant!r} is meant, take this name or write "
                f"`method: {meant}` under it, else write `method: {PAPER}`"
            )
        said = f"variant {name!r} names no task of it"
        check_names(said, variant.__pydantic_extra__, ["all", *tasks])
        check_names(said, variant.tasks or (), tasks)


def meant_by(name: str) -> str | None:
    """Return the method that the name of a variant seems to mean but is not; None for a method, and for another name.

    It means a method if it differs by case, by what stands between the words or by one typing error, or if it begins
    with the name of a method that is not SemAlign under other settings. A name that is near to that of the paper's
    method, such as ``Semalign 2``, means what it runs.
    """
    known = methods()
    if name in known or _plain(name).startswith(_plain(PAPER)):
        return None
    near = {each: _edits(_plain(name), _plain(each)) for each in known if each != PAPER}
    close = [each for each in near if near[each] <= 1]
    others = [each for each in near if not issubclass(known[each].settings, TransferSettings)]
    begun = [each for each in others if re.match(rf"{re.escape(each)}[\W\d_]", name, re.IGNORECASE)]
    return min([*close, *begun], key=near.__getitem__, default=None)


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name.lower())


def _edits(one: str, other: str) -> int:
    """Return how many letters must be put in, left out, replaced or swapped with the next to make one text another."""
    rows = [[*range(len(other) + 1)]]
    for i, a in enumerate(one, start=1):
        row = [i]
        for j, b in enumerate(other, start=1):
            swapped = i > 1 and j > 1 and (a, one[i - 2]) == (other[j - 2], b)
            ways = [row[-1] + 1, rows[-1][j] + 1, rows[-1][j - 1] + (a != b)]
            row.append(min([*ways, rows[-2][j - 2] + 1] if swapped else ways))
        rows.append(row)
    return rows[-1][-1]
