"""SemAlign with permuted atoms: bases as they are, but a token means another vector in the student."""

from typing import Literal

from semalign.methods.registry import variant
from semalign.settings import TransferSettings


class PermutedSettings(TransferSettings):
    """Settings of SemAlign with a seeded permutation of the student's atoms."""

    map: Literal["permuted"] = "permuted"


METHOD = variant("permuted-atoms", "control", "gu2025semalign", PermutedSettings)
