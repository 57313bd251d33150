"""What ``semalign plan`` expects of the phases that ``gpu_check.py`` measures."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from gpu_models import Measured, Shapes

from semalign.planning import scoring, transfer
from semalign.planning.machines import MACHINES
from semalign.planning.setup import Options, Phase, Setup
from semalign.planning.shapes import from_config
from semalign.planning.texts import Texts
from semalign.settings import TransferSettings

TOLERANCE = 0.2  # of the plan's memory


class Planned(NamedTuple):
    """Peak memory of a phase in bytes, and its time on the plan's machine in seconds."""

    memory: int
    seconds: float


def planned(found: Measured, shapes: Shapes, dtype: torch.dtype) -> Planned | None:
    """Return what is planned for a phase, or None for one that the plan does not have."""
    teacher, student = from_config(shapes.teacher, "teacher"), from_config(shapes.student, "student")
    setup = Setup(MACHINES["a100"], teacher, student, Options(dtype, micro_batch_size=shapes.micro_batch_size))
    rows, prompt, response = shapes.texts
    texts, k = Texts.of([(prompt, response)] * rows), found.details.get("layer", 1)
    settings = TransferSettings(epochs=1, batch_size=rows)
    phases: dict[str, Callable[[], Phase]] = {
        "attribution": lambda: transfer.attribution(setup, texts.first(shapes.attributed), settings),
        "teacher states": lambda: transfer.teacher_states(setup, texts, teacher.layers),
        "student prefix": lambda: transfer.student_prefix(setup, texts, k),
        "training": lambda: transfer.training(setup, settings, texts, k),
        "generation": lambda: scoring.generation(setup, student, texts, rows, shapes.answer, dtype),
    }
    if found.phase not in phases:
        return None
    phase = phases[found.phase]()
    return Planned(phase.gpu_memory, phase.seconds)
