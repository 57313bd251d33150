"""The semantic basis of an LM head (Section 3.1) beside PyTorch's pseudoinverse."""

import torch
from torch import Tensor

from bench.race import Race, step
from semalign.bases.basis import SemanticBasis


def random_head(vocabulary: int, width: int, seed: int = 0) -> Tensor:
    """Return Gaussian numbers of the size of a trained head's, (V, D)."""
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(vocabulary, width, generator=generator, device="cpu") * width**-0.5).to(torch.empty(0).device)


def relative(found: Tensor, expected: Tensor) -> float:
    """Return the largest difference of two tensors, relative to the largest number of the second."""
    return ((found - expected).abs().amax() / expected.abs().amax()).item()


@step(
    title="Semantic basis",
    peer="`torch.linalg.pinv`",
    reach=3.0,
    sizes=[
        {"vocabulary": 8_000, "width": 1_024},
        {"vocabulary": 16_000, "width": 1_024},
        {"vocabulary": 16_000, "width": 2_048},
        {"vocabulary": 32_000, "width": 4_096},
    ],
    growth={"vocabulary": 1.0, "width": 2.0},
    rounds=[2, 2, 1, 1],
    says="Of a random head in float32, with its fingerprint.",
)
def basis(vocabulary: int, width: int) -> Race:
    """Prepare a head."""
    weight = random_head(vocabulary, width)
    return Race(
        ours=lambda: SemanticBasis.from_weight(weight).vectors,
        peer=lambda: torch.linalg.pinv(weight).T,
        difference=relative,
        flops=3 * vocabulary * width**2 + width**3,
    )
