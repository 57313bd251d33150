"""Targets h M beside Eq. 1 and 2 as they are written, with a coefficient for each of the m atoms (Section 4.2)."""

import torch
from torch import Tensor

from bench.race import Race, step
from semalign.bases.basis import SemanticBasis
from semalign.targets.alignment import alignment_map, decompose, recompose


def unlike(ours: Tensor, peer: Tensor) -> float:
    """Return one minus the smallest cosine: targets are compared up to their length."""
    return 1 - torch.nn.functional.cosine_similarity(ours.double(), peer.double(), dim=-1).min().item()


@step(
    title="Targets",
    peer="Eq. 1 and 2, literally",
    reach=12.0,
    sizes=[
        {"states": 256, "vocabulary": 16_000, "teacher": 2_560, "student": 2_048},
        {"states": 512, "vocabulary": 16_000, "teacher": 2_560, "student": 2_048},
        {"states": 512, "vocabulary": 32_000, "teacher": 2_560, "student": 2_048},
        {"states": 512, "vocabulary": 32_000, "teacher": 5_120, "student": 4_096},
    ],
    growth={"states": 1.0},
    rounds=[2, 2, 2, 2],
    says="The largest size is Llama 2's, 13B to 7B; M is there, as are the literal form's unit vectors.",
)
def targets(states: int, vocabulary: int, teacher: int, student: int) -> Race:
    """Prepare bases of Gaussian vectors, their map, and states."""
    bases = [SemanticBasis.random(vocabulary, width, seed) for seed, width in enumerate((teacher, student))]
    operator, units = alignment_map(*bases), [basis.unit for basis in bases]
    operator, *units = (each.to(torch.empty(0).device) for each in (operator, *units))
    drawn = torch.randn(states, teacher, generator=torch.Generator().manual_seed(3), device="cpu").to(operator)
    return Race(
        ours=lambda: drawn @ operator,
        peer=lambda: recompose(decompose(drawn, units[0]), units[1]),
        difference=unlike,
        flops=2 * states * teacher * student,
    )
