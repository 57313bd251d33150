"""The states that a transfer stores on disk, told apart as far as a plan knows: jobs with the same ones share them."""

import json
from typing import NamedTuple

from semalign.models.head_outputs import HEADS
from semalign.planning.setup import Setup
from semalign.planning.shapes import Shapes
from semalign.planning.texts import Texts, trained_on
from semalign.planning.transfer import layers_of
from semalign.settings import MethodSettings, TransferSettings
from semalign.training.output_terms import OUTPUT_TERMS

LAYERS = {"teacher_layer", "student_layer", "student_layers", "layer_map", "interpolate"}


class States(NamedTuple):
    """Which states of a model these are.

    Attributes:
        model: name of the model.
        task: the task whose rows it reads.
        rows: how many of them.
        place: the interface and the layers as the settings name them, what enters a layer, or the final ones.
    """

    model: str
    task: str
    rows: int
    place: str


def states_on_disk(setup: Setup, settings: MethodSettings, texts: Texts, task: str) -> dict[States, int]:
    """Return the bytes of the states that a transfer stores: of the teacher, its final ones, and of the student."""
    if not isinstance(settings, TransferSettings):
        return {}
    texts, found = trained_on(texts, settings), dict[States, int]()

    def add(model: Shapes, place: str, positions: int) -> None:
        size = positions * model.width * setup.options.size(model)
        found[States(model.name, task, len(texts), place)] = size

    layers = json.dumps(settings.model_dump(mode="json", include=LAYERS))
    each = setup.teacher.heads if settings.interface == HEADS else 1
    add(setup.teacher, f"{settings.interface} {layers}", texts.positions * each)
    add(setup.student, f"entering layer {layers_of(setup, settings).student}", texts.tokens)
    if OUTPUT_TERMS[settings.output_loss].needs_teacher:
        add(setup.teacher, "final", texts.positions)
    return found
