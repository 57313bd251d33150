"""What a profile needs is there before its first cell runs: models, data, a sandbox, and a place for the results."""

from pathlib import Path

from semalign.data.tasks import documents
from semalign.evaluation.run import sandbox_of
from semalign.experiments.inputs import training_rows
from semalign.experiments.profiles import Profile
from semalign.experiments.provision import models_of
from semalign.models.loading import check_given
from semalign.outputs import check_folder


def check_runnable(profile: Profile, folder: Path, split: str = "test") -> None:
    """Make sure that nothing which can be known beforehand stops the cells of a profile, the later ones too.

    Args:
        profile: the profile.
        folder: where its records go.
        split: the split that models are scored on.

    Raises:
        OSError: if a model or data set is not there, or the folder cannot be written.
        ValueError: for a task file or data that cannot be used.
        SandboxError: if a task runs programs and there is no sandbox for them.
    """
    check_folder(folder)
    for name in models_of(profile):
        check_given(name)
    for task in profile.tasks:
        sandbox_of(task)
        documents(task, split, profile.evaluation.limit)
        training_rows(profile, task)
