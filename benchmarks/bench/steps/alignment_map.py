"""The alignment map M (Section 4.2), from chunks of both bases, beside both bases alone."""

import torch
from torch import nn

from bench.race import Race, step
from bench.steps.basis import random_head, relative
from semalign.bases.basis import CHUNK
from semalign.bases.inverted_head import InvertedHead
from semalign.bases.precision import RowProduct, semantic_pseudoinverse
from semalign.targets.alignment import alignment_map as streamed


def vectors(head: torch.Tensor) -> torch.Tensor:
    """Return a semantic basis as :meth:`semalign.bases.basis.SemanticBasis.from_weight` makes it."""
    product, found = RowProduct(semantic_pseudoinverse(head).inverse), torch.empty_like(head)
    for part, made in zip(head.split(CHUNK), found.split(CHUNK), strict=True):
        made.copy_(product(part))
    return found


@step(
    title="Alignment map M",
    peer="both bases alone, without their product",
    reach=0.87,
    sizes=[
        {"vocabulary": 8_000, "width": 1_024},
        {"vocabulary": 16_000, "width": 1_024},
        {"vocabulary": 16_000, "width": 2_048},
        {"vocabulary": 32_000, "width": 4_096},
    ],
    growth={"vocabulary": 1.0, "width": 2.0},
    rounds=[2, 2, 1, 1],
    says="Two random heads of one size, in float32: 0.87 is 15% more than the two bases take. Neither basis is in "
    "memory on our side. No side makes fingerprints of the heads.",
)
def alignment_map(vocabulary: int, width: int) -> Race:
    """Prepare two heads."""
    heads = [random_head(vocabulary, width, seed) for seed in (0, 1)]

    def ours() -> torch.Tensor:
        atoms = torch.arange(vocabulary, device="cpu")
        return streamed(
            *(InvertedHead(head, RowProduct(semantic_pseudoinverse(head).inverse), atoms, atoms) for head in heads)
        )

    def peer() -> list[torch.Tensor]:
        return [vectors(head) for head in heads]

    def difference(found: torch.Tensor, bases: list[torch.Tensor]) -> float:
        teacher, student = (nn.functional.normalize(basis, dim=-1) for basis in bases)
        return relative(found, teacher.T @ student)

    # Two Gram matrices, two products with their inverses, and the product of the unit vectors.
    return Race(ours, peer, difference, flops=8 * vocabulary * width**2 + 2 * width**3)
