"""The paper's second version, as far as its abstract says: see :mod:`semalign.training.frontier`.

Each layer in turn, from shallow to deep, matches the centred token-token relations of its one teacher layer's residual
contribution, with a KL term to the teacher's logits. Relations need no map between the spaces; whether that version
aligns them first is not known, so ``map`` stays open. Weights and sharing of steps are decided here.
"""

from typing import Literal

from semalign.methods.registry import variant
from semalign.models.architecture import Interface
from semalign.settings import AlignmentMap, OutputLoss, TransferSettings


class FrontierSettings(TransferSettings):
    """Settings of the frontier schedule."""

    schedule: Literal["frontier"] = "frontier"
    interface: Interface = "residual"
    map: AlignmentMap = "none"
    layer_loss: Literal["cosine", "mean_square", "relation"] = "relation"
    output_loss: OutputLoss = "kl"


METHOD = variant("frontier", "control", "gu2025semalign", FrontierSettings)
