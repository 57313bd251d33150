"""Token-token relations (the paper's second version): which positions of a row are alike, in either space."""

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
    """Return, at every position, the mean square difference of its cosines with the other positions of its row."""
    counts = torch.unique_consecutive(rows, return_counts=True)[1].tolist()
    ours, theirs = (pad_sequence(part.split(counts), batch_first=True) for part in (states, targets))
    lengths = torch.tensor(counts, device=ours.device)
    mask = torch.arange(ours.shape[1], device=ours.device) < lengths[:, None]  # (batch, tokens)
    return relation_differences(ours, theirs, mask)[mask]
