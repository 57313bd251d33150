"""Token-token relations (the paper's second version): the cosines between positions of the same row."""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from semalign.training.layer_losses import layer_loss
from semalign.training.losses import relation_differences


@layer_loss("relation", any_space=True)
def relation(
    states: Float[Tensor, "n d"], targets: Float[Tensor, "n d_target"], rows: Int[Tensor, " n"]
) -> Float[Tensor, " n"]:
    """Return ``Avg_j (cos(h_i, h_j) - cos(t_i, t_j))^2`` at every position i, over the positions j of its row."""
    # Positions of the same row are adjacent: pad them to (batch, tokens, D), and select the (n,) values at the end.
    counts = torch.unique_consecutive(rows, return_counts=True)[1].tolist()
    h, t = (pad_sequence(part.split(counts), batch_first=True) for part in (states, targets))
    lengths = torch.tensor(counts, device=h.device)
    mask = torch.arange(h.shape[1], device=h.device) < lengths[:, None]  # (batch, tokens)
    return relation_differences(h, t, mask)[mask]
