"""SemAlign with a ridge-regression map, fitted on states of the training rows at the paired layers."""

from typing import Literal

from semalign.methods.registry import variant
from semalign.settings import TransferSettings


class RidgeSettings(TransferSettings):
    """Settings of SemAlign with a ridge-regression map."""

    map: Literal["ridge"] = "ridge"


METHOD = variant("ridge", "control", "gu2025semalign", RidgeSettings)
