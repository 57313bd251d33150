"""The layers and rows that a profile asks for are there, as far as files here tell. Nothing here loads PyTorch."""

from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from semalign.data.row_files import read_file
from semalign.data.sources import locate as data_files
from semalign.data.task_file import task_file
from semalign.experiments.cells import entries_of
from semalign.experiments.profiles import Profile
from semalign.models.integrity import read_object
from semalign.models.located import cached_folder, locate

SIZES = ("num_hidden_layers", "n_layer", "n_layers", "num_layers")  # names of it in configurations
Count = Callable[[str], int | None]


class Asked(NamedTuple):
    """What the settings of an entry ask for on a task.

    Attributes:
        where: entry and task, for a message.
        task: the task.
        teachers: the teachers that the entry runs from.
        settings: all or some of its settings, with the values that they will have.
    """

    where: str
    task: str
    teachers: list[str]
    settings: Mapping[str, Any]


def check_asked(profile: Profile, tasks: Collection[str], layers: Count, rows: Count) -> None:
    """Make sure that the entries of a profile, and the points of its grids, name layers and rows that are there.

    Args:
        profile: the profile.
        tasks: those of its tasks on which anything is trained.
        layers: returns how many layers a model has, None if that is not known.
        rows: returns how many training rows a task has at most, None if that is not known.

    Raises:
        ValueError: for the first layer that a model does not have, or the first size above the number of rows.
    """
    layers, rows = cache(layers), cache(rows)
    for task in tasks:
        _check_rows(f"task {task}", profile.tasks[task].train_size, rows(task))
    for asked in (each for each in _all_asked(profile) if each.task in tasks):
        _check_rows(asked.where, asked.settings.get("train_size"), rows(asked.task))
        of_student, of_teacher = layers_named(asked.settings)
        _check_layers(f"{asked.where}: student", of_student, profile.student, layers)
        for teacher in asked.teachers:
            _check_layers(f"{asked.where}: teacher", of_teacher, teacher, layers)


def _all_asked(profile: Profile) -> Iterator[Asked]:
    for task, entry in product(profile.tasks, entries_of(profile)):
        settings = profile.method_of(entry).settings(**profile.settings_for(task, entry))
        yield Asked(f"{entry} on {task}", task, profile.teachers_for(task, entry), dict(settings))
    for task, (entry, choices) in product(profile.tasks, profile.selection.items()):
        for key, values in choices.items():
            for value in values:
                yield Asked(f"selection of {entry} on {task}", task, [profile.teacher], {key: value})


def layers_named(settings: Mapping[str, Any]) -> tuple[list[int], list[int]]:
    """Return the layers of the student and of the teacher that some settings name."""
    mapped = settings.get("layer_map") or {}
    student = [settings.get("student_layer"), *(settings.get("student_layers") or ()), *mapped]
    teacher = [settings.get("teacher_layer"), *mapped.values()]
    named = [[k for k in side if isinstance(k, int)] for side in (student, teacher)]
    return named[0], named[1]


def _check_layers(where: str, named: Collection[int], model: str, layers: Count) -> None:
    n = layers(model) if named else None
    if n is not None and (wrong := [k for k in named if k > n]):
        raise ValueError(f"{where} layer {wrong[0]} does not exist: {model} has layers 1..{n}")


def _check_rows(where: str, size: Any, n: int | None) -> None:
    if isinstance(size, int) and n is not None and size > n:
        raise ValueError(f"{where}: there are {n} training rows, fewer than its train_size of {size}: ask for no more")


def layers_on_disk(model: str) -> int | None:
    """Return how many layers a model has, by its configuration; None if it is not on this machine, or a GGUF file."""
    try:
        folder = cached_folder(locate(model))
        config = {} if folder is None else read_object(folder / "config.json")
    except (OSError, ValueError):  # told when the model is needed
        return None
    text = config.get("text_config", config)
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
