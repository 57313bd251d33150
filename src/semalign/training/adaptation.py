"""What a method is given and what it gives back."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from peft import PeftModel
from transformers import PreTrainedModel

from semalign.files import json_fingerprint
from semalign.models.pair import Pair
from semalign.settings import MethodSettings


@dataclass(frozen=True)
class Inputs:
    """What a method adapts a student from.

    Attributes:
        pair: teacher and student; neither is to be changed.
        rows: training rows, with ``prompt`` and ``response``.
        held_out: rows to measure on, empty if there are none.
        settings: the method's settings.
        folder: where checkpoints go, or None to keep none.
    """

    pair: Pair
    rows: Sequence[dict[str, str]]
    held_out: Sequence[dict[str, str]]
    settings: Any
    folder: Path | None = None

    def checkpoint(self, name: str = "checkpoint") -> Path | None:
        """Return the file of a checkpoint."""
        return None if self.folder is None else self.folder / f"{name}.safetensors"

    def identity(self, *more: Any) -> str:
        """Return a hash of all that a training run depends on; a checkpoint of another one is not resumed."""
        settings: MethodSettings = self.settings
        return json_fingerprint([self.pair.fingerprints, settings.model_dump(mode="json"), list(self.rows), *more])


@dataclass(frozen=True)
class Adapted:
    """What a method gives.

    Attributes:
        model: the adapted student, a PEFT model or a plain one, in evaluation mode.
        losses: terms of the loss at every step.
        details: what else the record is to tell.
        before: held-out measurements of the student as it was, besides its response NLL.
        after: those of the adapted student.
        trained_on: number of rows that the losses are over; None: all.
    """

    model: PreTrainedModel | PeftModel
    losses: list[dict[str, float]]
    details: dict[str, Any] = field(default_factory=dict)
    before: dict[str, float] = field(default_factory=dict)
    after: dict[str, float] = field(default_factory=dict)
    trained_on: int | None = None


def trainable(model: PreTrainedModel | PeftModel) -> int:
    """Return how many parameters of a model ask for a gradient."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
