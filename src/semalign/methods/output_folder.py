"""The folder of a run's result: refused in time if the run would take what is not its own, and replaced at the end."""

import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel, get_peft_model_state_dict
from safetensors.torch import load_file

from semalign.models.loading import LanguageModel
from semalign.models.saved_files import files_of_result, strangers
from semalign.models.saving import save_model
from semalign.results.records import CONFIGURATIONS, RECORD, read_record
from semalign.settings import MethodSettings, TrainingSettings, deciding

logger = logging.getLogger(__name__)


def check_free(folder: Path, student: LanguageModel, teacher: LanguageModel, settings: MethodSettings) -> None:
    """Make sure, before any work, that a run takes nothing from its output folder but the result of an earlier run.

    Args:
        folder: the output folder, which need not exist.
        student: the model that the run starts from.
        teacher: the model that it learns from.
        settings: those of the method: what trains a LoRA gives an adapter.

    Raises:
        ValueError: if the folder holds a model that the run would replace: the student, the teacher, or one that no run
            has written; or any other file that has the name of one of the result.
    """
    if _holds(folder, student):
        raise ValueError(f"{folder} holds the student that this run starts from: choose another output folder")
    if _holds(folder, teacher):
        raise ValueError(f"{folder} holds the teacher of this run: choose another output folder")
    if not files_of_result(folder) and any((folder / name).is_file() for name in CONFIGURATIONS):
        there = (folder / RECORD).exists()
        record = "and a record that is damaged or of no run" if there else "without the record of a run"
        raise ValueError(f"{folder} holds a model or adapter {record}: choose another output folder, or move it away")
    if names := strangers(folder, plain=not isinstance(settings, TrainingSettings)):
        raise ValueError(
            f"{folder} holds {', '.join(names)}, which this run would replace and which no run has written, or which "
            "was changed since: choose another output folder, or move it elsewhere"
        )


def tell(folder: Path, run: Mapping[str, Any]) -> None:
    """Warn if a folder holds the result of another run, which stays until this one is finished.

    Args:
        folder: the output folder.
        run: keys of the run record that tell runs apart, with their values in this run.
    """
    if files_of_result(folder) and not _made_by(folder / RECORD, run):
        logger.warning("%s holds the result of another run, which is replaced when this one is finished", folder)


def save_result(model: LanguageModel, folder: Path, record: Mapping[str, Any], card: str) -> None:
    """Write the result of a run in place of an earlier one; see :func:`semalign.models.saving.save_model`."""
    save_model(model, folder, record, card, replaced=files_of_result(folder))


def _made_by(record: Path, run: Mapping[str, Any]) -> bool:
    made, wanted = (
        {**each, "configuration": deciding(each["configuration"])}
        for each in (read_record(record), json.loads(json.dumps(run)))
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
