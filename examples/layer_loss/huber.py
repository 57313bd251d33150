"""A custom layer loss: Huber's, on which a few far positions have less influence than on the mean square.

`semalign --include examples/layer_loss transfer TEACHER STUDENT -d rows.jsonl -o runs/mine -s layer_loss=huber`
"""

from torch import Tensor
from torch.nn.functional import huber_loss, normalize

from semalign.training.layer_losses import layer_loss


@layer_loss("huber")
def huber(states: Tensor, targets: Tensor, rows: Tensor) -> Tensor:
    """Return the Huber loss of unit states and unit targets at every position, shape (n,)."""
    return huber_loss(normalize(states, dim=-1), normalize(targets, dim=-1), reduction="none").sum(-1)
