"""What a training step needs of the memory: the parts of its batch, and the activations that it keeps."""

from collections.abc import Iterator
from contextlib import contextmanager

from semalign.models.activation_checkpointing import checkpointed
from semalign.models.architecture import Architecture
from semalign.models.batching import FittingParts
from semalign.settings import TrainingSettings


def fitting_parts(student: Architecture, settings: TrainingSettings, first_layer: int) -> FittingParts:
    """Return the parts that a batch is cut into: ``micro_batch_size`` rows or all, or fewer if these do not fit.

    Args:
        student: the model that is trained.
        settings: batch sizes, and whether activations are computed again.
        first_layer: the first layer that gradients reach.
    """
    most, layers = settings.micro_batch_size or settings.batch_size, student.n_layers - first_layer + 1
    if settings.activation_checkpointing:
        return FittingParts(student, most, kept_states=layers, logits=True)
    return FittingParts(student, most, kept_layers=layers, logits=True)


@contextmanager
def activations_as_set(student: Architecture | None, settings: TrainingSettings, first_layer: int) -> Iterator[None]:
    """Compute the activations of a student's trained layers again, if the settings say so, while the block runs."""
    if student is None or not settings.activation_checkpointing:
        yield
        return
    with checkpointed(student, first_layer):
        yield
