"""SemAlign with random bases: Gaussian vectors in both models, drawn apart for each token."""

from typing import Literal

from semalign.methods.registry import variant
from semalign.settings import TransferSettings


class RandomSettings(TransferSettings):
    """Settings of SemAlign with random bases."""

    map: Literal["random"] = "random"


METHOD = variant("random-bases", "control", "gu2025semalign", RandomSettings)
