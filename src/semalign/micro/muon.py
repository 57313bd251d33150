"""Muon (Jordan et al., 2024) in float32, with all matrices of one shape orthogonalised in one batch.

The update is that of :class:`torch.optim.Muon`, which works in bfloat16 and on one matrix at a time. On a CPU without
bfloat16 arithmetic, that takes as long as the forward and backward passes of the micro family together.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.optim import Optimizer

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
ITERATIONS = 5


def orthogonalized(matrices: Float[Tensor, "batch rows columns"]) -> Float[Tensor, "batch rows columns"]:
    """Return the matrices with singular values near 1 and the same singular vectors, by Newton-Schulz iterations."""
    wide = matrices.mT if matrices.shape[1] > matrices.shape[2] else matrices
    wide = wide / wide.norm(dim=(1, 2), keepdim=True).clamp_min(1e-7)
    a, b, c = COEFFICIENTS
    for _ in range(ITERATIONS):
        gram = wide @ wide.mT
        wide = a * wide + (b * gram + c * gram @ gram) @ wide
    return wide.mT if matrices.shape[1] > matrices.shape[2] else wide


class Muon(Optimizer):
    """Nesterov momentum with an orthogonalised step and decoupled weight decay, for matrices only."""

    def __init__(self, params: Iterable[Tensor], lr: float, momentum: float, weight_decay: float) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Update every matrix; a matrix without a gradient is updated by its momentum."""
        for group in self.param_groups:
            by_shape: dict[torch.Size, list[Tensor]] = defaultdict(list)
            for matrix in group["params"]:
                by_shape[matrix.shape].append(matrix)
            for matrices in by_shape.values():
                self._update(matrices, group)

    def _update(self, matrices: list[Tensor], group: dict[str, Any]) -> None:
        """Update matrices of the same shape."""
        ahead = []
        for matrix in matrices:
            gradient = torch.zeros_like(matrix) if matrix.grad is None else matrix.grad
            momentum = self.state[matrix].setdefault("momentum_buffer", torch.zeros_like(matrix))
            momentum.lerp_(gradient, 1 - group["momentum"])
            ahead.append(gradient.lerp(momentum, group["momentum"]))
        rows, columns = matrices[0].shape
        rate = group["lr"] * max(1.0, rows / columns) ** 0.5
        for matrix, update in zip(matrices, orthogonalized(torch.stack(ahead)), strict=True):
            matrix.mul_(1 - group["lr"] * group["weight_decay"]).add_(update, alpha=-rate)
