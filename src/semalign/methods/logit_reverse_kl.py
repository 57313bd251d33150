"""Logit distillation into the paired layer: reverse KL, on the data's own responses (Gu et al. 2024, MiniLLM)."""

from typing import Literal

from pydantic import Field

from semalign.methods.registry import variant
from semalign.settings import TransferSettings


class LogitReverseKLSettings(TransferSettings):
    """Settings of distillation by reverse KL."""

    layer_weight: float = Field(0.0, ge=0, le=0)
    output_loss: Literal["reverse_kl"] = "reverse_kl"


METHOD = variant("logit-reverse-kl", "control", "gu2024minillm", LogitReverseKLSettings)
