"""SemAlign with an orthogonal Procrustes map, fitted on states of the training rows at the paired layers."""

from typing import Literal

from semalign.methods.registry import variant
from semalign.settings import TransferSettings


class ProcrustesSettings(TransferSettings):
    """Settings of SemAlign with a Procrustes map."""

    map: Literal["procrustes"] = "procrustes"


METHOD = variant("procrustes", "control", "gu2025semalign", ProcrustesSettings)
