"""Layer-wise distillation with a learned linear projection, which trains along and is thrown away (TED; DistillKit).

The student's states, projected into the teacher's space, are to equal the teacher's; labels are learnt by
cross-entropy. TED (Liang et al. 2023) first trains its filters with both models frozen: for a linear one that stage
has a closed form, and the projection starts there.
"""

from typing import Literal

from semalign.methods.registry import variant
from semalign.settings import OutputLoss, TransferSettings


class LayerDistillationSettings(TransferSettings):
    """Settings of layer-wise distillation; the mean square of TED may be exchanged for DistillKit's cosine."""

    map: Literal["learned"] = "learned"
    layer_loss: Literal["mean_square", "cosine"] = "mean_square"
    output_loss: OutputLoss = "cross_entropy"


METHOD = variant("layer-distillation", "control", "liang2023ted", LayerDistillationSettings)
