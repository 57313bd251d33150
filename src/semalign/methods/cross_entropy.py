"""Cross-entropy on the paired layer alone: what the labels do for the same parameters, without a teacher."""

from typing import Literal

from pydantic import Field

from semalign.methods.registry import variant
from semalign.settings import TransferSettings


class CrossEntropySettings(TransferSettings):
    """Settings of cross-entropy on the paired layer."""

    layer_weight: float = Field(0.0, ge=0, le=0)
    output_loss: Literal["cross_entropy"] = "cross_entropy"


METHOD = variant("cross-entropy", "control", "hu2022lora", CrossEntropySettings)
