"""The inputs and the result of a method."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from peft import PeftModel
from torch import nn
from transformers import PreTrainedModel

from semalign.files import json_fingerprint
from semalign.included import included_code
from semalign.models.pair import Pair
from semalign.settings import MethodSettings, deciding
from semalign.training.watching import Watch, Watcher, unwatched


@dataclass(frozen=True)
class Inputs:
    """The inputs of a method.

    Attributes:
        pair: teacher and student; a method must not change either.
        rows: training rows with ``prompt`` and ``response``.
        held_out: held-out rows to measure on; empty if there are none.
        settings: the method's settings.
        folder: folder for checkpoints, or None for no checkpoints.
        watch: what to measure in the course of training, by a method that trains the student step by step.
    """

    pair: Pair
    rows: Sequence[dict[str, str]]
    held_out: Sequence[dict[str, str]]
    settings: Any
    folder: Path | None = None
    watch: Watch | None = None

    def watcher(self, student: nn.Module, more: Callable[[], Mapping[str, Any]] = dict) -> Watcher:
        """Return what a training calls after each step; see :meth:`semalign.training.watching.Watch.of`."""
        return unwatched if self.watch is None else self.watch.of(student, more)

    def checkpoint(self, name: str = "checkpoint") -> Path | None:
        """Return the path of a checkpoint file, or None if no checkpoints are kept."""
        return None if self.folder is None else self.folder / f"{name}.safetensors"

    def identity(self, *more: Any) -> str:
        """Return a hash of what the steps of a training run depend on; a checkpoint is resumed only if it matches.

        It covers both models, the versions of what computes, the files of included folders, which may hold the user's
        own maps and losses, the rows, ``more``, and the settings. Of these it leaves
        out those that change memory and time only (:data:`semalign.settings.MEMORY`), and the number of epochs: whether
        a run of another length can go on, the checkpoint itself finds out.
        """
        settings: MethodSettings = self.settings
        models = [self.pair.fingerprints, self.pair.computed_by]
        decisive = deciding(settings.model_dump(mode="json", exclude={"epochs"}))
        return json_fingerprint([*models, decisive, list(self.rows), *more, *included_code()])


@dataclass(frozen=True)
class Adapted:
    """The result of a method.

    Attributes:
        model: the adapted student, a PEFT model or a plain model, in evaluation mode.
        losses: terms of the loss at every step.
        details: further entries for the ``details`` of the run record, under names that no run uses itself
            (:data:`semalign.methods.details.TAKEN`).
        before: held-out measurements of the unmodified student; the runner adds the response NLL.
        after: the same measurements of the adapted student.
        trained_on: number of rows that the losses are averaged over; None for all rows.
    """

    model: PreTrainedModel | PeftModel
    losses: list[dict[str, float]]
    details: dict[str, Any] = field(default_factory=dict)
    before: dict[str, float] = field(default_factory=dict)
    after: dict[str, float] = field(default_factory=dict)
    trained_on: int | None = None


def trainable(model: PreTrainedModel | PeftModel) -> int:
    """Return the number of trainable parameters of a model."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
