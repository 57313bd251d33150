"""A part of the shared vocabulary as atoms: the tokens that occur in some rows, or as many random ones."""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Int
from torch import Tensor

from semalign.bases.inverted_head import InvertedHead
from semalign.data.rows import Example
from semalign.targets.vocabularies import shared_atoms


def chosen_atoms(
    teacher: InvertedHead,
    student: InvertedHead,
    which: Literal["data", "random"],
    examples: Sequence[Example],
    seed: int,
) -> tuple[InvertedHead, InvertedHead]:
    """Return two heads with the same part of their shared atoms; each atom keeps its vector.

    Args:
        teacher: all atoms of the teacher.
        student: all atoms of the student.
        which: ``data``: tokens that occur in the examples, prompts included; ``random``: as many of all shared tokens.
        examples: rows, encoded for the student.
        seed: of the random ones.

    Raises:
        ValueError: if fewer atoms are shared than the wider space has dimensions. The part that is returned may be too
            small for a map too, which :func:`semalign.alignment_map` tells.
    """
    of_teacher, of_student = shared_atoms(teacher, student)
    occurring = torch.tensor(sorted({token for example in examples for token in example.input_ids}), dtype=torch.long)
    kept = torch.isin(student.token_ids[of_student].cpu(), occurring).nonzero()[:, 0]
    if which == "random":
        kept = _random(len(of_student), len(kept), seed)
    return teacher.restricted(of_teacher[kept]), student.restricted(of_student[kept])


def _random(n: int, wanted: int, seed: int) -> Int[Tensor, " wanted"]:
    return torch.randperm(n, generator=torch.Generator().manual_seed(seed))[:wanted].sort().values
