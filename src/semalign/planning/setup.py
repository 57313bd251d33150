"""What the phases of a job share: the models, their types, the machine, and choices that save memory."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch

from semalign.planning.machines import Machine
from semalign.planning.shapes import Shapes
from semalign.settings import TrainingSettings

READ = 1e9  # bytes of weights that are read in a second


@dataclass(frozen=True)
class Options:
    """Choices that save memory; None: as the profile or the checkpoint says.

    Attributes:
        dtype: type of the models.
        micro_batch_size: rows of training in memory at once.
        activation_checkpointing: whether each layer is computed again in the backward pass.
        evaluation_batch_size: items of an evaluation in memory at once.
    """

    dtype: torch.dtype | None = None
    micro_batch_size: int | None = None
    activation_checkpointing: bool | None = None
    evaluation_batch_size: int | None = None

    def type_of(self, shapes: Shapes) -> torch.dtype:
        """Return the type in which a model runs."""
        return self.dtype or shapes.dtype

    def size(self, shapes: Shapes) -> int:
        """Return the bytes of a weight."""
        return self.type_of(shapes).itemsize

    def checkpointing(self, settings: TrainingSettings) -> bool:
        """Return whether activations are computed again in the backward pass."""
        if self.activation_checkpointing is None:
            return bool(getattr(settings, "activation_checkpointing", False))
        return self.activation_checkpointing


AS_GIVEN = Options()


class Phase(NamedTuple):
    """A part of a job.

    Attributes:
        name: name of the phase.
        gpu_memory: peak in bytes, weights included.
        flops: operations.
        seconds: time on the machine of the plan.
        batch: rows in memory at once, where the phase has batches.
    """

    name: str
    gpu_memory: int
    flops: int
    seconds: float
    batch: int | None = None


@dataclass(frozen=True)
class Setup:
    """The models of a job and where they run.

    Attributes:
        machine: the machine.
        teacher: the larger model.
        student: the smaller model.
        options: choices that save memory.
    """

    machine: Machine
    teacher: Shapes
    student: Shapes
    options: Options = AS_GIVEN

    @property
    def usable(self) -> int:
        """Bytes that a job has on all its GPUs."""
        return self.machine.usable * self.machine.gpus

    def phase(
        self, name: str, memory: int, flops: int, dtype: torch.dtype, batch: int | None = None, double: int = 0
    ) -> Phase:
        """Return a phase whose time is that of its operations, ``double`` of them in float64 and the rest in a type."""
        seconds = self.machine.seconds(flops - double, dtype) + self.machine.seconds(double, torch.float64)
        return Phase(name, memory, flops, seconds, batch)

    def reading(self, *models: Shapes) -> Phase:
        """Return the phase in which models are read from disk."""
        size = sum(model.parameters * model.dtype.itemsize for model in models)
        return Phase("read", sum(model.parameters * self.options.size(model) for model in models), 0, size / READ)


def largest_batch(most: int, memory: Callable[[int], int], usable: int) -> int:
    """Return the largest batch, ``most`` or a half of it and so on, that fits; 1 if none does."""
    batch = most
    while batch > 1 and memory(batch) > usable:
        batch = -(-batch // 2)
    return batch
