"""Profiles: which models, tasks and settings a run uses. Packaged YAML: common defaults and a sparse override each."""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from semalign.data.chat import ChatName
from semalign.methods.registry import Method, method, methods
from semalign.results.records import PAPER
from semalign.settings import TrainingSettings, TransferSettings

FOLDER = Path(__file__).with_name("profile_files")
MEMORY = {"micro_batch_size"}  # means the same for every method that has it


class Strict(BaseModel):
    """A part of a profile; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class TaskProfile(Strict):
    """One task of a profile: the sizes and rates of the paper's Tables 4 and 5, for every method."""

    train_size: int | None = Field(None, ge=1, description="training rows; None: all")
    training_data: str | None = Field(None, description="data set to train on; None: as the task file says")
    epochs: int | None = Field(None, ge=1)
    learning_rate: float | None = Field(None, gt=0)
    align_size: int | None = Field(None, ge=1, description="alignment rows of LaTen (Table 4)")
    align_steps: int | None = Field(None, ge=1, description="alignment steps of LaTen (Table 4)")
    align_learning_rate: float | None = Field(None, gt=0)


class Variant(BaseModel):
    """An entry of the tables: settings by task, or for ``all`` tasks, that differ from those of its method."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, dict[str, Any]] = Field(init=False)

    method: str | None = Field(None, description="method; None: the one of the entry's name, or semalign")

    def settings_for(self, task: str) -> dict[str, Any]:
        """Return what differs on a task."""
        return {**self.__pydantic_extra__.get("all", {}), **self.__pydantic_extra__.get(task, {})}


class EvaluationProfile(Strict):
    """How models are scored."""

    batch_size: int = Field(64, ge=1)
    limit: int | None = Field(None, ge=1, description="items of a split; None: all")
    chat: ChatName | None = Field(None, description="chat format, in training too; None: as the task file says")


class Profile(Strict):
    """A scale at which everything runs: ``micro``, ``small``, ``llama2`` or a file of the user's own."""

    name: str
    teacher: str
    student: str
    teachers: dict[str, list[str]] = Field({}, description="further teachers (Table 2) and the tasks they are for")
    further_entries: list[str] = Field([], description="entries that run from these teachers too; empty: all")
    tasks: dict[str, TaskProfile]
    transfer: dict[str, Any] = Field(
        {}, description="settings that differ from the paper's, for every method that trains a LoRA and has them"
    )
    variants: dict[str, Variant] = Field({}, description="further entries of the tables, or settings of a method's own")
    selection: dict[str, dict[str, list[Any]]] = Field(
        {}, description="for each entry, the values of each setting to choose from on validation data"
    )
    seeds: list[int] = Field(min_length=1)
    evaluation: EvaluationProfile = EvaluationProfile.model_validate({})

    def method_of(self, entry: str) -> Method:
        """Return the method behind an entry: what its variant names, else the method of that name, else SemAlign.

        Raises:
            ValueError: if a variant names a method that is not in the registry.
        """
        named = self.variants[entry].method if entry in self.variants else None
        return method(named or (entry if entry in methods() else PAPER))

    def settings_for(self, task: str, entry: str | None = None, *, varied: bool = True) -> dict[str, Any]:
        """Return the settings of an entry on a task: the profile's, the task's, then those of its variant.

        Args:
            task: name of the task.
            entry: a method or a variant; None: SemAlign.
            varied: without it, what the variant changes is left out, as where its settings are being chosen.
        """
        entry = entry or PAPER
        chosen = self.method_of(entry)
        shared = self.transfer
        if not issubclass(chosen.settings, TransferSettings):
            common = set(TrainingSettings.model_fields) if issubclass(chosen.settings, TrainingSettings) else MEMORY
            common = common & chosen.settings.model_fields.keys()
            shared = {key: value for key, value in self.transfer.items() if key in common}
        values = {key: getattr(self.tasks[task], name) for key, name in chosen.of_task.items()}
        of_task = {key: value for key, value in values.items() if value is not None}
        changes = self.variants[entry].settings_for(task) if varied and entry in self.variants else {}
        return {**shared, **of_task, **changes}

    def teachers_for(self, task: str, entry: str | None = None) -> list[str]:
        """Return the teachers of a task, the general one first; with an entry, those that the entry runs from."""
        if entry and self.further_entries and entry not in self.further_entries:
            return [self.teacher]
        return [self.teacher, *(name for name, tasks in self.teachers.items() if task in tasks)]


def profile_names() -> list[str]:
    """Return the names of the packaged profiles."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml") if path.stem != "defaults")


def load_profile(name: str | Path, **overrides: Any) -> Profile:
    """Return a profile: the defaults, what the named file changes, and what the caller changes.

    Args:
        name: a packaged profile, or the path of a YAML file of the same form.
        **overrides: top-level keys that replace the file's.

    Raises:
        FileNotFoundError: if there is no such profile.
        ValueError: for an unknown key, with the nearest known one, or a value of the wrong kind.
    """
    path = Path(name) if Path(name).suffix in (".yaml", ".yml") else FOLDER / f"{name}.yaml"
    if not path.is_file():
        raise FileNotFoundError(f"no profile {str(name)!r}: give a YAML file or one of {', '.join(profile_names())}")
    content = merge(merge(_read(FOLDER / "defaults.yaml"), _read(path)), overrides)
    try:
        profile = Profile.model_validate({"name": path.stem, **content})
        for task in profile.tasks:
            for entry in (PAPER, *profile.variants):
                profile.method_of(entry).settings(**profile.settings_for(task, entry))
        for name, variant in profile.variants.items():
            if unknown := set(variant.__pydantic_extra__) - {"all", *profile.tasks}:
                raise ValueError(f"profile {path.stem}: variant {name!r} names no task of it: {', '.join(unknown)}")
        if unknown := set(profile.further_entries) - {*methods(), *profile.variants}:
            raise ValueError(f"profile {path.stem}: further_entries names no method or variant {', '.join(unknown)}")
    except ValidationError as error:
        raise ValueError(f"profile {path.stem}: {'; '.join(map(_explain, error.errors()))}") from None
    return profile


def merge(base: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``base`` with what ``change`` says on top, table by table."""
    merged = dict(base)
    for key, value in change.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = merge(merged[key], value) if both else value
    return merged


def _read(path: Path) -> dict[str, Any]:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ValueError(f"{path} must hold keys and values")
    return content


def _explain(problem: Any) -> str:
    place = ".".join(map(str, problem["loc"]))
    if problem["type"] != "extra_forbidden":
        message = problem["msg"].removeprefix("Value error, ")
        return f"{place}: {message}" if place else message
    key = str(problem["loc"][-1])
    models: list[type[BaseModel]] = [Profile, TaskProfile, EvaluationProfile]
    models += [method.settings for method in methods().values()]
    known = {field for model in models for field in model.model_fields}
    near = difflib.get_close_matches(key, known, 1)
    return f"unknown key {place!r}" + (f", did you mean {near[0]!r}?" if near else "")
