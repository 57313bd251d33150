"""Supervised fine-tuning: cross-entropy through LoRA on all layers, three epochs (Appendix A.2's SFT setting)."""

from semalign.models.architecture import Architecture
from semalign.training.adaptation import Adapted, Inputs, trainable
from semalign.training.finetuning import FineTuning
from semalign.training.lora import add_lora, check_rank


def fine_tune(inputs: Inputs) -> Adapted:
    """Fine-tune LoRA on the up, down, value and output matrices of all student layers; the teacher is not used."""
    student = inputs.pair.student_architecture
    adapted = add_lora(student.model, range(1, student.n_layers + 1), inputs.settings)
    examples = inputs.pair.encode(inputs.rows).student
    training = FineTuning(Architecture(adapted), examples, inputs.settings, inputs.checkpoint(), inputs.identity("sft"))
    return Adapted(adapted, training.run(inputs.watcher(adapted)), {"adapter_parameters": trainable(adapted)})


def check_inputs(inputs: Inputs) -> None:
    """Raise ``ValueError`` if the rank is too high for the student."""
    check_rank(inputs.pair.student_outline, inputs.settings)
