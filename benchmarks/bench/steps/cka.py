"""CKA of all pairs of layers of two models, on features in memory, against ckatorch."""

from functools import partial

import torch
from torch import Tensor

from bench.machine import DEVICE
from bench.race import Absent, Race, step
from semalign.analysis.hsic import MinibatchCKA

BLOCK = 256  # rows in one estimate of HSIC


def all_pairs(teacher: Tensor, student: Tensor) -> Tensor:
    """Return CKA of all pairs from blocks of rows; features have the shape (layers, rows, width)."""
    measure = MinibatchCKA()
    for block in zip(teacher.split(BLOCK, dim=1), student.split(BLOCK, dim=1), strict=True):
        measure.add(*block)
    return measure.matrix()


@step(
    title="CKA of all pairs of layers",
    peer="ckatorch",
    reach=25.0,
    sizes=[
        {"layers": 16, "tokens": 256, "width": 512},
        {"layers": 32, "tokens": 256, "width": 512},
        {"layers": 32, "tokens": 2_048, "width": 512},
    ],
    rounds=(2, 1, 1),
    growth={"tokens": 1.0, "layers": 1.0},
    says="Features in memory, without the models' forward passes; the unbiased HSIC over blocks of 256 tokens.",
)
def cka(layers: int, tokens: int, width: int) -> Race:
    """CKA between all layers of a teacher and of a student of the same depth, three quarters as wide."""
    try:
        from ckatorch import cka_batch
    except ImportError as error:
        raise Absent("ckatorch is not installed: install the extra `dev`") from error
    draw = partial(torch.randn, generator=torch.Generator(DEVICE).manual_seed(0))
    shared = draw(tokens, width)
    teacher = draw(layers, tokens, width) + shared
    student = (draw(layers, tokens, width) + shared)[..., : width * 3 // 4].contiguous()

    def peer() -> Tensor:
        # Blocks are its batches: the sums of HSIC over them are what it divides.
        first, second = (side.unflatten(1, (-1, BLOCK)) for side in (teacher, student))
        return torch.stack([torch.stack([cka_batch(x, y) for y in second]) for x in first])

    return Race(
        ours=lambda: all_pairs(teacher, student),
        peer=peer,
        difference=lambda ours, theirs: float((ours - theirs).abs().max()),
        flops=2 * layers * tokens * BLOCK * (width + width * 3 // 4),
    )
