"""What a profile needs is there before its first cell runs: models, data, a sandbox, and a place for the results."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from semalign.evaluation.run import sandbox_of
from semalign.experiments.asked_for import Asked, check_asked, of_cells, of_points
from semalign.experiments.cells import cells
from semalign.experiments.grids import points
from semalign.experiments.inputs import check_data, source_once, training_rows
from semalign.experiments.named_inputs import models_of
from semalign.experiments.profiles import Profile
from semalign.experiments.scored_models import check_engine
from semalign.models import processes
from semalign.models.architecture import Architecture
from semalign.models.loading import check_given
from semalign.outputs import check_folder


def check_runnable(
    profile: Profile,
    folder: Path,
    tasks: Mapping[str, bool],
    split: str = "test",
    asked: Iterable[Asked] | None = None,
) -> None:
    """Make sure that nothing which can be known beforehand stops the cells of a profile, the later ones too.

    Args:
        profile: the profile.
        folder: where its records go.
        tasks: the tasks to run, and for each whether anything is trained on it.
        split: the split that models are scored on.
        asked: what the cells or points that are asked for need, those with a record too; None: all of the profile.

    Raises:
        OSError: if a model or data set is not there, or the folder cannot be written.
        ValueError: for a task file or data that cannot be used, layers or rows that are not there
            (:func:`semalign.experiments.asked_for.check_asked`), or a model that the engine cannot score; in one of
            several processes.
        ModuleNotFoundError: for an engine that is not installed.
        SandboxError: if a task runs programs and there is no sandbox for them.
    """
    processes.check_alone("a comparison")
    check_folder(folder)
    for name in models_of(profile) if tasks else ():
        check_given(name)
    check_engine(profile, models_of(profile) if tasks else [])
    for task, trained in tasks.items():
        if profile.scored:
            sandbox_of(task)
        check_data(profile, task, split if profile.scored else None, trained)
    if any(tasks.values()):
        check_asked(
            _all(profile) if asked is None else asked, _layers_of, lambda task: len(training_rows(profile, task))
        )


def _all(profile: Profile) -> list[Asked]:
    return [*of_cells(profile, cells(profile)), *of_points(profile, points(profile))]


def _layers_of(model: str) -> int:
    return Architecture(source_once(model).outline.model).n_layers
