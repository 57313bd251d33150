"""The layer cosine alone: the teacher's aligned states, no labels."""

from typing import Literal

from pydantic import Field

from semalign.methods.registry import variant
from semalign.settings import TransferSettings


class LayerCosineSettings(TransferSettings):
    """Settings of SemAlign without the output term."""

    layer_loss: Literal["cosine"] = "cosine"
    output_weight: float = Field(0.0, ge=0, le=0)


METHOD = variant("layer-cosine", "control", "gu2025semalign", LayerCosineSettings)
