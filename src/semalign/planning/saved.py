"""How much of an MLP a backward pass needs, counted by running it without memory."""

import torch
from torch import Tensor

from semalign.models.architecture import Architecture
from semalign.models.layouts import Layout


def saved_by_mlp(architecture: Architecture) -> int:
    """Return the numbers that the MLP of a frozen layer keeps of each token for the backward pass.

    The MLP is run on one token of the ``meta`` device. A gated MLP of Llama keeps gate, activation and up-projection:
    3 F numbers. Another MLP keeps what its activation function needs: F of one kernel, 4 F where the function is
    written as a formula of several operations.
    """
    layer = architecture.layer(1).requires_grad_(False).eval()
    weights = {weight.untyped_storage()._cdata for weight in layer.parameters()}
    saved: dict[
        tuple[int, int | torch.SymInt, torch.Size], Tensor
    ] = {}  # a tensor that two operations keep counts once

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()._cdata
        if storage not in weights:
            saved[storage, tensor.storage_offset(), tensor.shape] = tensor
        return tensor

    mlp = layer.get_submodule(_mlp_of(architecture.layout))
    state = torch.zeros(1, 1, architecture.width, device="meta", dtype=next(mlp.parameters()).dtype, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        mlp(state)
    return sum(tensor.numel() for tensor in saved.values())


def _mlp_of(layout: Layout) -> str:
    """Return the path of the MLP: where the adapted matrices are that are not of the attention."""
    attention = layout.mixer.rpartition(".")[0]
    parents = [path.rpartition(".")[0] for path in layout.lora]
    return next((parent for parent in parents if parent != attention), layout.mlp)
