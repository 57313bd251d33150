"""The mean squared error of layer-wise distillation (TED, Liang et al. 2023)."""

from jaxtyping import Float, Int
from torch import Tensor

from semalign.training.layer_losses import layer_loss


@layer_loss("mean_square")
def mean_square(
    states: Float[Tensor, "n d"], targets: Float[Tensor, "n d"], rows: Int[Tensor, " n"]
) -> Float[Tensor, " n"]:
    """Return ``|h - h*|^2 / D`` at every position."""
    return (states - targets).square().mean(-1)
