"""Logit distillation into the paired layer: forward KL to the teacher over the shared tokens (Hinton et al. 2015)."""

from typing import Literal

from pydantic import Field

from semalign.methods.registry import variant
from semalign.settings import TransferSettings


class LogitKLSettings(TransferSettings):
    """Settings of distillation by forward KL."""

    layer_weight: float = Field(0.0, ge=0, le=0)
    output_loss: Literal["kl"] = "kl"


METHOD = variant("logit-kl", "control", "hinton2015distilling", LogitKLSettings)
