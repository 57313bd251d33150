"""Supervised fine-tuning: cross-entropy through LoRA on all layers, three epochs (Appendix A.2's SFT setting)."""

from pydantic import Field

from semalign.methods.registry import Method, add_method
from semalign.models.architecture import Architecture
from semalign.settings import TrainingSettings
from semalign.training.adaptation import Adapted, Inputs, trainable
from semalign.training.finetuning import FineTuning
from semalign.training.lora import add_lora, check_rank


class SftSettings(TrainingSettings):
    """Settings of supervised fine-tuning; an unknown or invalid value is an error."""

    epochs: int = Field(3, ge=1, description="passes through the training rows")


def fine_tune(inputs: Inputs) -> Adapted:
    """Fine-tune LoRA on the up, down, value and output matrices of all student layers; the teacher is not used."""
    student = inputs.pair.student_architecture
    adapted = add_lora(student.model, range(1, student.n_layers + 1), inputs.settings)
    examples = inputs.pair.encode(inputs.rows).student
    training = FineTuning(Architecture(adapted), examples, inputs.settings, inputs.checkpoint(), inputs.identity("sft"))
    return Adapted(adapted, training.run(inputs.watcher(adapted)), {"adapter_parameters": trainable(adapted)})


add_method(
    Method(
        "sft",
        "control",
        "hu2022lora",
        "Supervised fine-tuning: cross-entropy through LoRA on all layers, three epochs (Appendix A.2's SFT setting).",
        SftSettings,
        fine_tune,
        {"learning_rate": "learning_rate"},
        check=lambda inputs: check_rank(inputs.pair.student_outline, inputs.settings),
    )
)
