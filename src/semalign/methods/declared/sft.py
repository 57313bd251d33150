"""Supervised fine-tuning: see :mod:`semalign.methods.sft`."""

from pydantic import Field

from semalign.methods.registry import Method, add_method
from semalign.settings import TrainingSettings


class SftSettings(TrainingSettings):
    """Settings of supervised fine-tuning; an unknown or invalid value is an error."""

    epochs: int = Field(3, ge=1, description="passes through the training rows")


add_method(
    Method(
        "sft",
        "control",
        "hu2022lora",
        "Supervised fine-tuning: cross-entropy through LoRA on all layers, three epochs (Appendix A.2's SFT setting).",
        SftSettings,
        "semalign.methods.sft:fine_tune",
        {"learning_rate": "learning_rate"},
        "semalign.methods.sft:check_inputs",
    )
)
