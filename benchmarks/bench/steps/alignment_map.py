"""The alignment map M (Section 4.2), from chunks of both bases, beside two whole bases and their product."""

import torch
from torch import nn

from bench.race import Race, step
from bench.steps.basis import random_head, relative
from semalign.bases.basis import SemanticBasis
from semalign.bases.inverted_head import InvertedHead
from semalign.bases.precision import RowProduct, semantic_pseudoinverse
from semalign.targets.alignment import alignment_map as streamed


@step(
    title="Alignment map M",
    peer="both bases, then the product of their unit vectors",
    reach=1.0,
    sizes=[
        {"vocabulary": 8_000, "width": 1_024},
        {"vocabulary": 16_000, "width": 1_024},
        {"vocabulary": 16_000, "width": 2_048},
    ],
    growth={"vocabulary": 1.0, "width": 2.0},
    rounds=[3, 2, 2],
    says="Two random heads of one size, in float32; neither basis is in memory on our side.",
)
def alignment_map(vocabulary: int, width: int) -> Race:
    """Prepare two heads."""
    heads = [random_head(vocabulary, width, seed) for seed in (0, 1)]

    def ours() -> torch.Tensor:
        atoms = torch.arange(vocabulary, device="cpu")
        return streamed(
            *(InvertedHead(head, RowProduct(semantic_pseudoinverse(head).inverse), atoms, atoms) for head in heads)
        )

    def peer() -> torch.Tensor:
        teacher, student = (SemanticBasis.from_weight(head).vectors for head in heads)
        return nn.functional.normalize(teacher, dim=-1).T @ nn.functional.normalize(student, dim=-1)

    # Two Gram matrices, two products with their inverses, and the product of the unit vectors.
    return Race(ours, peer, relative, flops=8 * vocabulary * width**2 + 2 * width**3)
