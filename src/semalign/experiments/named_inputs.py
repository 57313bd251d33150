"""The models and data that a profile names, whether they are there or not. Nothing here loads PyTorch."""

from collections.abc import Iterator
from typing import NamedTuple

from semalign.data.task_file import task_file
from semalign.experiments.profiles import Profile


class Split(NamedTuple):
    """One split of a published data set."""

    dataset: str
    config: str | None
    split: str

    def __str__(self) -> str:
        return " ".join(part for part in self if part)


def models_of(profile: Profile) -> list[str]:
    """Return the names of all models of a profile, each once."""
    return list(dict.fromkeys([profile.student, profile.teacher, *profile.teachers]))


def splits_of(profile: Profile) -> list[Split]:
    """Return all splits that are used to train, choose settings or score on the tasks of a profile, each once."""
    return list(dict.fromkeys(split for task in profile.tasks for split in _splits(profile, task)))


def _splits(profile: Profile, task: str) -> Iterator[Split]:
    data, training = task_file(task).data, task_file(task).metadata.get("training", {})
    if "dataset" in training:
        yield Split(profile.tasks[task].training_data or training["dataset"], None, "train")
    if data.files:  # reading the task file has made sure that they are there
        return
    own = [] if "dataset" in training else training.get("splits") or [data.splits.get("train", "train")]
    further = [data.splits[use] for use in ("validation", "test") if use in data.splits]
    yield from (Split(data.dataset, data.config, split) for split in (*own, *further))
