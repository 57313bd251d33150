"""Profiles: which models, tasks and settings a run uses. Read from YAML, over common defaults."""

import shlex
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, PrivateAttr, ValidationError

from semalign.errors import problems
from semalign.experiments.profile_checks import (
    check_names,
    check_names_of_records,
    check_no_seed,
    check_variants,
    check_written_apart,
)
from semalign.experiments.profile_content import merge, profile_content
from semalign.experiments.profile_parts import EvaluationProfile, Strict, TaskProfile, Variant
from semalign.experiments.profile_paths import FOLDER, profile_names, profile_path
from semalign.methods.registry import Method, method, methods
from semalign.models.placement import Placement, place_unless_set
from semalign.results.records import PAPER
from semalign.settings import MEMORY, TrainingSettings, TransferSettings


class Profile(Strict):
    """A scale at which everything runs: ``micro``, ``small``, ``llama2`` or a file of the user's own."""

    name: str = Field(description="name of the file; given by the file, not in it")
    based_on: str | None = Field(
        None,
        exclude=True,  # what it resolves to is what counts
        description="a packaged profile, or a YAML file by its path from this one, whose keys hold where this one says "
        "nothing else; a task, teacher, variant or selection of it that is null here is left out",
    )
    teacher: str = Field(description="the general teacher: a bundled model, a folder, a hub id or a GGUF file")
    student: str = Field(description="the model that learns")
    teachers: dict[str, list[str]] = Field({}, description="further teachers (Table 2) and the tasks they are for")
    further_entries: list[str] = Field([], description="entries that run from these teachers too; empty: all")
    tasks: dict[str, TaskProfile] = Field(description="bundled tasks or task files, each with the keys of a task")
    transfer: dict[str, Any] = Field(
        {}, description="settings that differ from the paper's, for every method that trains a LoRA and has them"
    )
    variants: dict[str, Variant] = Field(
        {}, description="further entries of the tables, or settings of a method's own, with the keys of an entry"
    )
    selection: dict[str, dict[str, Annotated[list[Any], Field(min_length=1)]]] = Field(
        {}, description="for each entry, the values of each setting to choose from on validation data"
    )
    seeds: list[int] = Field(min_length=1, description="seeds of each entry; 0, 1 and 2 if left out")
    held_out: int = Field(200, ge=1, description="rows, at most, on which every training is measured")
    scored: bool = Field(
        True, description="whether models are scored on the test split; if not, only their held-out losses are measured"
    )
    evaluation: EvaluationProfile = Field(
        EvaluationProfile.model_validate({}), description="how models are scored, with the keys of an evaluation"
    )
    models: Placement = Field(
        Placement.model_validate({}),
        description="type and devices of all models, where the process names none, with the keys of a placement",
    )

    _given: str = PrivateAttr("")

    @property
    def option(self) -> str:
        """The option by which a command takes it, for a shell: with the name or path that it was loaded by."""
        return f"--profile {shlex.quote(self._given or self.name)}"

    def method_of(self, entry: str) -> Method:
        """Return the method behind an entry: what its variant names, else the method of that name, else SemAlign.

        Raises:
            ValueError: if a variant names a method that is not in the registry.
        """
        named = self.variants[entry].method if entry in self.variants else None
        return method(named or (entry if entry in methods() else PAPER))

    def settings_for(self, task: str, entry: str | None = None) -> dict[str, Any]:
        """Return the settings of an entry on a task: the profile's, the task's, then those of its variant.

        Args:
            task: name of the task.
            entry: a method or a variant; None: SemAlign.
        """
        entry = entry or PAPER
        chosen = self.method_of(entry)
        shared = self.transfer
        if not issubclass(chosen.settings, TransferSettings):
            trains = issubclass(chosen.settings, TrainingSettings)
            common = (TrainingSettings.model_fields.keys() if trains else MEMORY) & chosen.settings.model_fields.keys()
            shared = {key: value for key, value in self.transfer.items() if key in common}
        values = {key: getattr(self.tasks[task], name) for key, name in chosen.of_task.items()}
        of_task = {key: value for key, value in values.items() if value is not None}
        return {**shared, **of_task, **self.changes(task, entry)}

    def changes(self, task: str, entry: str) -> dict[str, Any]:
        """Return what the variant of an entry sets on a task; nothing for an entry without one."""
        return self.variants[entry].settings_for(task) if entry in self.variants else {}

    def teachers_for(self, task: str, entry: str | None = None) -> list[str]:
        """Return the teachers of a task, the general one first; with an entry, those that it runs from, if any."""
        if entry in self.variants and task not in (self.variants[entry].tasks or self.tasks):
            return []
        if entry and self.further_entries and entry not in self.further_entries:
            return [self.teacher]
        return [self.teacher, *(name for name, tasks in self.teachers.items() if task in tasks)]


def load_profile(name: str | Path, **overrides: Any) -> Profile:
    """Return a profile: the defaults, what the named file and those that it is based on change, and the caller.

    Args:
        name: a packaged profile, or the path of a YAML file of the same form.
        **overrides: keys that change the file's, table by table.

    Raises:
        FileNotFoundError: if there is no such profile.
        ValueError: for an unknown key, with the nearest known one, or a value of the wrong kind.
    """
    path = profile_path(name)
    content = merge(profile_content(name), overrides)
    what = f"profile {path.stem if path.parent == FOLDER else path}"
    try:
        profile = Profile.model_validate({"name": path.stem, **content})
        if path.resolve().parent != FOLDER.resolve() and profile.name in profile_names():
            raise ValueError(f"{profile.name} is a packaged profile, and records go by the name: rename the file")
        _check(profile)
        profile._given = str(name)
    except ValidationError as error:
        raise ValueError(f"{what}: {problems(error, _known_keys())}") from error
    except ValueError as error:
        raise ValueError(f"{what}: {error}") from error
    return profile


def use_profile(name: str | Path, **overrides: Any) -> Profile:
    """Return a profile as :func:`load_profile` does, and place models as it says, where no variable says otherwise.

    This holds for this process and those that it starts, as the variables do (:mod:`semalign.models.placement`).
    """
    profile = load_profile(name, **overrides)
    place_unless_set(profile.models)
    return profile


def _check(profile: Profile) -> None:
    """Check that tasks, teachers and entries go together, and that each method takes the settings of its entry."""
    if not profile.tasks:
        raise ValueError("tasks: it names none")
    models = [profile.teacher, profile.student, *profile.teachers]
    check_names_of_records(profile.tasks, models)
    check_variants(profile.variants, profile.tasks)
    for teacher, tasks in profile.teachers.items():
        check_names(f"teacher {teacher!r} names no task of it", tasks, profile.tasks)
    entries = [*methods(), *profile.variants]
    for what, names in (("tasks", profile.tasks), ("models", models), ("variants", entries)):
        check_written_apart(what, names)
    check_no_seed(_settings(profile))
    check_names("further_entries names no method or variant", profile.further_entries, entries)
    check_names("selection names no method or variant", profile.selection, entries)
    if len(set(profile.seeds)) < len(profile.seeds):
        raise ValueError(f"seeds: each seed must be given once; they are {profile.seeds}")
    once = [(entry, profile.seeds[0]) for entry in profile.variants]  # a seed that one entry takes, the others take too
    for task, (entry, seed) in product(profile.tasks, [*((PAPER, seed) for seed in profile.seeds), *once]):
        settings = {**profile.settings_for(task, entry), "seed": seed}
        try:
            profile.method_of(entry).settings(**settings)
        except ValueError as error:
            raise ValueError(f"{entry} on {task}: {error}") from error


def _settings(profile: Profile) -> dict[str, Mapping[str, Any]]:
    """Return all tables of settings that a profile gives, by their places."""
    variants = profile.variants.items()
    of_variants = {
        f"variants.{name}.{task}": each for name, v in variants for task, each in v.__pydantic_extra__.items()
    }
    of_selection = {f"selection.{name}": choices for name, choices in profile.selection.items()}
    return {"transfer": profile.transfer, **of_variants, **of_selection}


def _known_keys() -> set[str]:
    return {field for model in (Profile, TaskProfile, EvaluationProfile, Placement) for field in model.model_fields}
