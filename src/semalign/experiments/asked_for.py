"""The layers and rows that cells and points ask for are there, as far as files here tell, without PyTorch."""

import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from semalign.data.row_files import read_file
from semalign.data.sources import locate as data_files
from semalign.data.task_file import task_file
from semalign.experiments.cells import Cell
from semalign.experiments.grids import Point, settings_at
from semalign.experiments.profiles import Profile
from semalign.models.integrity import read_object
from semalign.models.located import cached_folder, locate

logger = logging.getLogger(__name__)
SIZES = ("num_hidden_layers", "n_layer", "n_layers", "num_layers")  # names of it in configurations
Count = Callable[[str], int | None]


class Asked(NamedTuple):
    """What one cell or grid point asks for.

    Attributes:
        where: entry and task, for a message.
        part: what must be able to run in at least one place: the entry of a cell, a point by itself.
        task: the task.
        given: how many training rows the task gives to all its entries; None: all that there are.
        teacher: the larger model.
        student: the smaller model.
        settings: its settings, with the values that they will have.
    """

    where: str
    part: str
    task: str
    given: int | None
    teacher: str
    student: str
    settings: Mapping[str, Any]


def of_cells(profile: Profile, cells: Iterable[Cell]) -> list[Asked]:
    """Return what cells of a comparison ask for, once for all seeds; models as they are ask for nothing."""
    found = []
    for entry, task, teacher, student in dict.fromkeys((c.method, c.task, c.teacher, c.student) for c in cells):
        if teacher is not None:
            settings = _resolved(profile, entry, profile.settings_for(task, entry))
            given = profile.tasks[task].train_size
            found.append(Asked(f"{entry} on {task}", entry, task, given, teacher, student, settings))
    return found


def of_points(profile: Profile, points: Iterable[Point]) -> list[Asked]:
    """Return what points of grids ask for, which run from the general teacher."""
    models = profile.teacher, profile.student
    return [
        Asked(
            f"selection of {point.entry} on {point.task}",
            f"{point.entry} {point.file_name}",
            point.task,
            profile.tasks[point.task].train_size,
            *models,
            _resolved(profile, point.entry, settings_at(profile, point)),
        )
        for point in points
    ]


def _resolved(profile: Profile, entry: str, settings: dict[str, Any]) -> dict[str, Any]:
    try:
        return dict(profile.method_of(entry).settings(**settings))
    except ValueError:  # told when it is run
        return settings


def check_asked(asked: Iterable[Asked], layers: Count, rows: Count) -> None:
    """Make sure that the layers and rows that cells or points ask for are there.

    Of an entry that can run in some of its cells only, such as from one of two teachers, the others are left to the
    run, which tells why they have no record; here there is a warning.

    Args:
        asked: all that is asked for, by :func:`of_cells` or :func:`of_points`.
        layers: returns how many layers a model has, None if that is not known.
        rows: returns how many training rows a task has at most, None if that is not known.

    Raises:
        ValueError: for the first entry that lacks a layer or rows in all its cells, or the first such point.
    """
    layers, rows = cache(layers), cache(rows)
    problems: dict[str, list[str | None]] = {}
    for each in asked:
        problems.setdefault(each.part, []).append(_problem(each, layers, rows))
    for found in problems.values():
        if first := all(found) and found[0]:
            raise ValueError(first)
    for told in dict.fromkeys(filter(None, chain(*problems.values()))):
        logger.warning("%s; what does not need it runs all the same", told)


def _problem(asked: Asked, layers: Count, rows: Count) -> str | None:
    """Return the first thing that is asked for and not there; None if there is none."""
    of_student, of_teacher = layers_named(asked.settings)
    return (
        _lacking_rows(asked, rows)
        or _lacking_layer(f"{asked.where}: student", of_student, asked.student, layers)
        or _lacking_layer(f"{asked.where}: teacher", of_teacher, asked.teacher, layers)
    )


def _lacking_rows(asked: Asked, rows: Count) -> str | None:
    """Return what is wrong with the train_size of a task, all of whose rows a cell reads, or with the entry's own."""
    own, n = asked.settings.get("train_size"), rows(asked.task)
    sizes = [(f"task {asked.task}", asked.given, n), (asked.where, own, n if asked.given is None else asked.given)]
    for where, size, most in sizes:
        if isinstance(size, int) and most is not None and size > most:
            lacking = f"{where}: there are {most} training rows, fewer than its train_size of {size}"
            return f"{lacking}: lower train_size to {most} or leave it out"
    return None


def _lacking_layer(where: str, named: Collection[int], model: str, layers: Count) -> str | None:
    n = layers(model) if named else None
    if n is not None and (wrong := [k for k in named if k > n]):
        return f"{where} layer {wrong[0]} does not exist: {model} has layers 1..{n}"
    return None


def layers_named(settings: Mapping[str, Any]) -> tuple[list[int], list[int]]:
    """Return the layers of the student and of the teacher that some settings name."""
    mapped = settings.get("layer_map") or {}
    student = [settings.get("student_layer"), *(settings.get("student_layers") or ()), *mapped]
    teacher = [settings.get("teacher_layer"), *mapped.values()]
    named = [[k for k in side if isinstance(k, int)] for side in (student, teacher)]
    return named[0], named[1]


def layers_on_disk(model: str) -> int | None:
    """Return how many layers a model has, by its configuration; None if it is not on this machine, or a GGUF file."""
    try:
        folder = cached_folder(locate(model))
        config = {} if folder is None else read_object(folder / "config.json")
    except (OSError, ValueError):  # told when the model is needed
        return None
    text = config.get("text_config") or config
    return next((text[name] for name in SIZES if isinstance(text.get(name), int)), None)


def rows_on_disk(profile: Profile) -> Count:
    """Return the function that says how many training rows a task of a profile has at most; None if not known here.

    Nothing is downloaded, and what is left out of the rows because it is in the test split is still counted.
    """
    return lambda task: _rows(task, profile.tasks[task].training_data)


def _rows(task: str, given: str | None) -> int | None:
    file = task_file(task)
    training, data = file.metadata.get("training", {}), file.data
    if "process_docs" in file.content:  # it may make more of them
        return None
    try:
        if "dataset" in training:
            return _n_rows(data_files(given or training["dataset"], None, "train"))
        names = [data.splits.get(split, split) for split in training.get("splits") or ["train"]]
        files = [[data.files[name]] if data.files else data_files(data.dataset, data.config, name) for name in names]
        return sum(map(_n_rows, files))
    except (OSError, ValueError, KeyError):  # told when the rows are needed
        return None


def _n_rows(files: Collection[Path]) -> int:
    return sum(len(read_file(path)) for path in files)
