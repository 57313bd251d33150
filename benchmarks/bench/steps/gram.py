"""The Gram matrix of a head, for the output cosine (Section 4.3) and the basis, beside one product in float64."""

import torch

from bench.race import Race, step
from bench.steps.basis import random_head, relative
from semalign.bases.gram import gram as symmetric


@step(
    title="Gram matrix of the head",
    peer="`W.double().T @ W.double()`",
    reach=2.0,
    sizes=[
        {"vocabulary": 8_000, "width": 1_024},
        {"vocabulary": 16_000, "width": 1_024},
        {"vocabulary": 16_000, "width": 2_048},
        {"vocabulary": 32_000, "width": 4_096},
    ],
    growth={"vocabulary": 1.0, "width": 2.0},
    rounds=[2, 2, 1, 1],
    says="Products of chunks in float32, sums in float64, as the output cosine takes it.",
)
def gram(vocabulary: int, width: int) -> Race:
    """Prepare a head."""
    weight = random_head(vocabulary, width)

    def peer() -> torch.Tensor:
        wide = weight.double()
        return wide.T @ wide

    return Race(lambda: symmetric(weight, torch.float32), peer, relative, flops=vocabulary * width**2)
