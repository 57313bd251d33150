"""Profiles: which models, tasks and settings a run uses. Packaged YAML: common defaults and a sparse override each."""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from semalign.settings import TransferSettings

FOLDER = Path(__file__).with_name("profiles")


class Strict(BaseModel):
    """A part of a profile; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class TaskProfile(Strict):
    """One task of a profile: the sizes and rates of the paper's Tables 4 and 5, for every method."""

    train_size: int | None = Field(None, ge=1, description="training rows; None: all")
    epochs: int | None = Field(None, ge=1)
    learning_rate: float | None = Field(None, gt=0)
    align_size: int | None = Field(None, ge=1, description="alignment rows of LaTen (Table 4)")
    align_steps: int | None = Field(None, ge=1, description="alignment steps of LaTen (Table 4)")
    align_learning_rate: float | None = Field(None, gt=0)


class EvaluationProfile(Strict):
    """How models are scored."""

    batch_size: int = Field(64, ge=1)
    limit: int | None = Field(None, ge=1, description="items of a split; None: all")


class Profile(Strict):
    """A scale at which everything runs: ``micro``, ``small``, ``llama2`` or a file of the user's own."""

    name: str
    teacher: str
    student: str
    teachers: dict[str, list[str]] = Field({}, description="further teachers (Table 2) and the tasks they are for")
    tasks: dict[str, TaskProfile]
    transfer: dict[str, Any] = Field({}, description="settings of SemAlign that differ from the paper's")
    variants: dict[str, dict[str, dict[str, Any]]] = Field(
        {}, description="further rows of the tables: name, then task or 'all', then settings that differ"
    )
    selection: dict[str, dict[str, list[Any]]] = Field(
        {}, description="for each variant, the values of each setting to choose from on validation data"
    )
    seeds: list[int] = Field(min_length=1)
    evaluation: EvaluationProfile = EvaluationProfile.model_validate({})

    def settings_for(self, task: str, variant: str | None = None) -> dict[str, Any]:
        """Return the settings of a transfer on a task: the profile's, the task's, then those of a variant."""
        own = self.tasks[task].model_dump(include={"epochs", "learning_rate"}, exclude_none=True)
        changes = self.variants[variant] if variant else {}
        return {**self.transfer, **own, **changes.get("all", {}), **changes.get(task, {})}

    def teachers_for(self, task: str) -> list[str]:
        """Return the teachers of a task, the general one first."""
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
            for variant in (None, *profile.variants):
                TransferSettings(**profile.settings_for(task, variant))
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
    place, key = ".".join(map(str, problem["loc"])), str(problem["loc"][-1])
    if problem["type"] != "extra_forbidden":
        return f"{place}: {problem['msg'].lower()}"
    known = {
        field for model in (Profile, TaskProfile, EvaluationProfile, TransferSettings) for field in model.model_fields
    }
    near = difflib.get_close_matches(key, known, 1)
    return f"unknown key {place!r}" + (f", did you mean {near[0]!r}?" if near else "")
