"""The paper's layer term: one minus the cosine (Section 4.3)."""

from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import cosine_similarity

from semalign.training.layer_losses import layer_loss


@layer_loss("cosine")
def cosine(states: Float[Tensor, "n d"], targets: Float[Tensor, "n d"], rows: Int[Tensor, " n"]) -> Float[Tensor, " n"]:
    """Return ``1 - cos(h, h*)`` at every position."""
    return 1 - cosine_similarity(states, targets, dim=-1)
