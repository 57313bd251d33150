"""The output cosine alone: labels, no teacher. What is left of SemAlign without its alignment."""

from typing import Literal

from pydantic import Field

from semalign.methods.registry import variant
from semalign.settings import TransferSettings


class OutputCosineSettings(TransferSettings):
    """Settings of SemAlign without the layer term."""

    layer_weight: float = Field(0.0, ge=0, le=0)
    output_loss: Literal["cosine"] = "cosine"


METHOD = variant("output-cosine", "control", "gu2025semalign", OutputCosineSettings)
