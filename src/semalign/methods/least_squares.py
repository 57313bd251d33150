"""SemAlign with the map that preserves logits best, ``W_S^+ W_T``, instead of cosines with atoms."""

from typing import Literal

from semalign.methods.registry import variant
from semalign.settings import TransferSettings


class LeastSquaresSettings(TransferSettings):
    """Settings of SemAlign with the least-squares map."""

    map: Literal["least_squares"] = "least_squares"


METHOD = variant("least-squares", "control", "gu2025semalign", LeastSquaresSettings)
