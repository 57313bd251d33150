"""What a training step needs of the memory: the parts of its batch, and the activations that it keeps."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

from semalign.models.activation_checkpointing import checkpointed
from semalign.models.architecture import Architecture
from semalign.models.batching import FittingParts
from semalign.settings import TrainingSettings

PART_COST = 1e7  # time of starting a part's layer, in products of a token with a parameter: by timings
SMALL_PRODUCTS = 64  # tokens that a part's smaller matrix products cost besides


def fitting_parts(student: Architecture, settings: TrainingSettings, first_layer: int) -> FittingParts:
    """Return the parts that a batch is cut into: ``micro_batch_size`` rows or all, or fewer if these do not fit.

    On a CPU also fewer if padding would cost more than a further part (:func:`padding_allowed`).

    Args:
        student: the model that is trained.
        settings: batch sizes, and whether activations are computed again.
        first_layer: the first layer that gradients reach.
    """
    most, layers = settings.micro_batch_size or settings.batch_size, student.n_layers - first_layer + 1
    states, activations = (layers, 0) if settings.activation_checkpointing else (0, layers)
    padding = padding_allowed(student, settings)
    return FittingParts(student, most, kept_layers=activations, kept_states=states, logits=True, padding=padding)


def padding_allowed(student: Architecture, settings: TrainingSettings) -> float:
    """Return how many tokens of padding cost as much as a further part of a batch, or infinity for no further part.

    Dropout draws its masks part by part, and with centred targets several parts need a second pass: such batches are
    cut only if they do not fit the memory. So are those on a GPU, where this has not been measured.
    """
    if student.device.type != "cpu" or settings.lora_dropout or getattr(settings, "centre_targets", False):
        return math.inf
    return SMALL_PRODUCTS + PART_COST / sum(p.numel() for p in student.layer(student.n_layers).parameters())


@contextmanager
def activations_as_set(student: Architecture | None, settings: TrainingSettings, first_layer: int) -> Iterator[None]:
    """Compute the activations of a student's trained layers again, if the settings say so, while the block runs."""
    if student is None or not settings.activation_checkpointing:
        yield
        return
    with checkpointed(student, first_layer):
        yield
