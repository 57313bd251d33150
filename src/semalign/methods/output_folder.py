"""The folder of a run's result: cleared of the result of another run, and never that of one of its models."""

import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel, get_peft_model_state_dict
from safetensors.torch import load_file

from semalign.files import DamagedFileError, read_json
from semalign.models.loading import LanguageModel
from semalign.models.saving import CONFIGURATIONS, RECORD, remove_model
from semalign.results.records import read_record
from semalign.settings import deciding

logger = logging.getLogger(__name__)


def prepare(folder: Path, student: LanguageModel, teacher: LanguageModel, run: Mapping[str, Any]) -> None:
    """Make the output folder ready before any long work.

    The result of the same run stays. The result of another one is removed, so that a run that is stopped never leaves
    it as if it were its own.

    Args:
        folder: the output folder, which need not exist.
        student: the model that the run starts from.
        teacher: the model that it learns from.
        run: keys of the run record that tell runs apart, with their values in this run.

    Raises:
        ValueError: if the folder holds a model that the run would remove or replace: the student, the teacher, or one
            that no run has written.
    """
    if _holds(folder, student):
        raise ValueError(f"{folder} holds the student that this run starts from: choose another output folder")
    if _holds(folder, teacher):
        raise ValueError(f"{folder} holds the teacher of this run: choose another output folder")
    if _is_foreign(folder):
        raise ValueError(f"{folder} holds a model or adapter without the record of a run: choose another output folder")
    if (folder / RECORD).is_file() and not _made_by(folder / RECORD, run):
        logger.warning("%s holds the result of another run, which is removed", folder)
        remove_model(folder)


def _is_foreign(folder: Path) -> bool:
    """Return whether a folder holds a model that no run wrote: each has its record, which may be damaged."""
    if not any((folder / name).is_file() for name in CONFIGURATIONS):
        return False
    try:
        record = read_json(folder / RECORD)
    except FileNotFoundError:
        return True
    except DamagedFileError:
        return False
    return not isinstance(record, dict) or "method" not in record


def _made_by(record: Path, run: Mapping[str, Any]) -> bool:
    try:
        made = read_record(record)
    except ValueError:  # damaged
        return False
    made, wanted = (
        {**each, "configuration": deciding(each["configuration"])} for each in (made, json.loads(json.dumps(run)))
    )
    return all(made[key] == value for key, value in wanted.items())


def _holds(folder: Path, model: LanguageModel) -> bool:
    """Return whether a folder is the one that a model was read from, or has the same adapter as the model."""
    adapter, source = folder / "adapter_model.safetensors", model.model.config.name_or_path or ""
    if os.path.isdir(source) and folder.resolve() == Path(source).resolve():
        return True
    if not isinstance(model.model, PeftModel) or not adapter.is_file():
        return False
    try:
        there = load_file(adapter)
    except Exception:  # safetensors' own, for a damaged file
        return False
    ours = get_peft_model_state_dict(model.model)
    return there.keys() == ours.keys() and all(torch.equal(there[name].to(ours[name]), ours[name]) for name in ours)
