"""What each attention head of a layer adds to the residual stream, where the atoms are.

The outputs z_1..z_H of a layer's heads stand side by side when the matrix W_O mixes them. It is linear, so that its
output is a sum over heads, and head i adds ``W_O [0, .., z_i, .., 0]``, a state of width D like that of a sub-layer.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from semalign.models.architecture import Architecture

HEADS = "heads"
"""The interface at which each attention head of a layer has a state."""


def check_heads(*architectures: Architecture) -> None:
    """Make sure that heads of these models can be compared one by one.

    Raises:
        ValueError: for a model whose layers normalise what attention adds, as a norm is not a sum over heads; or if the
            models have different numbers of heads.
    """
    for each in architectures:
        writer, mixer = each.writer(1, "attention"), each.head_mixer(1)
        if not isinstance(writer, nn.Dropout) and all(module is not mixer for module in writer.modules()):
            raise ValueError(
                f"layers of {type(each.model).__name__} normalise what attention adds, so that heads have no parts of "
                "their own: compare at attention instead of heads"
            )
    check_equal_numbers(*(each.n_heads for each in architectures))


def check_equal_numbers(*heads: int) -> None:
    """Make sure that models have equal numbers of heads; raise ``ValueError`` otherwise."""
    if len(numbers := set(heads)) > 1:
        raise ValueError(
            f"heads are compared one by one, and these models have {' and '.join(map(str, sorted(numbers)))} of them: "
            "compare at attention instead of heads"
        )


def added_by_heads(
    mixer: nn.Module, outputs: Float[Tensor, "*batch d_heads"], n_heads: int
) -> Float[Tensor, "*batch n_heads d"]:
    """Return what each head adds; with the mixer's bias, the sum over heads is the mixer's output.

    Args:
        mixer: the matrix that mixes the heads, with its adapter if it has one.
        outputs: outputs of all heads, side by side.
        n_heads: number of heads.
    """
    width = outputs.shape[-1] // n_heads
    owner = torch.arange(outputs.shape[-1], device=outputs.device) // width
    # forward() and not a call, which would run the hooks of the mixer, and with them this again.
    bias = mixer.forward(torch.zeros_like(outputs[..., :1, :]))
    return torch.stack([mixer.forward(outputs * (owner == head)) - bias for head in range(n_heads)], dim=-2)
