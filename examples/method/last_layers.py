"""A custom method: fine-tune the last layers of the student, without the teacher.

`semalign --include examples/method transfer TEACHER STUDENT -d rows.jsonl -o runs/mine -m last-layers -s layers=2`

A profile that names it in ``variants`` compares it with all others: ``semalign --include examples/method compare``.
"""

from pydantic import Field

from semalign.methods.registry import Method, add_method
from semalign.models.architecture import Architecture
from semalign.settings import TrainingSettings
from semalign.training.adaptation import Adapted, Inputs
from semalign.training.finetuning import FineTuning
from semalign.training.lora import add_lora


class LastLayersSettings(TrainingSettings):
    """How the last layers are fine-tuned."""

    layers: int = Field(1, ge=1, description="how many layers, counted from the last")


def check(inputs: Inputs) -> None:
    """Make sure that the student has so many layers."""
    n = inputs.pair.student_outline.n_layers
    if inputs.settings.layers > n:
        raise ValueError(f"layers={inputs.settings.layers}, but the student has {n}: lower it")


def adapt(inputs: Inputs) -> Adapted:
    """Train a LoRA on the last layers by the cross-entropy of the responses."""
    n, wanted = inputs.pair.student_outline.n_layers, inputs.settings.layers
    adapted = add_lora(inputs.pair.student.model, range(n - wanted + 1, n + 1), inputs.settings)
    examples = inputs.pair.encode(inputs.rows).student
    training = FineTuning(Architecture(adapted), examples, inputs.settings, inputs.checkpoint(), inputs.identity())
    return Adapted(adapted, training.run(), {"layers": wanted})


add_method(
    Method(
        "last-layers",
        "control",
        "hu2022lora",
        "Fine-tuning of the last layers.",
        LastLayersSettings,
        adapt,
        check=check,
    )
)
