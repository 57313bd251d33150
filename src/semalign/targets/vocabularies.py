"""Which atoms two models share: tokens that stand for the same bytes or have the same role."""

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor

from semalign.bases.basis import SemanticBasis
from semalign.bases.inverted_head import InvertedHead
from semalign.bases.token_keys import TokenNames

logger = logging.getLogger(__name__)

Basis = SemanticBasis | InvertedHead  # with its vectors, or making them when they are asked for
Named = Basis | TokenNames  # what has the token ids, strings and keys of atoms


class SharedAtoms(NamedTuple):
    """The atoms that two models share.

    Attributes:
        teacher: positions of the shared atoms in the teacher's basis.
        student: their positions in the student's, in the same order.
        sizes: number of atoms of the teacher and of the student.
        by: what was compared: the ``bytes`` that tokens stand for, token ``strings``, or the ``position``.
    """

    teacher: Int[Tensor, " shared"]
    student: Int[Tensor, " shared"]
    sizes: tuple[int, int]
    by: Literal["bytes", "strings", "position"]

    def __str__(self) -> str:
        """Return the numbers in one line."""
        n, parts = len(self.teacher), zip(("teacher", "student"), self.sizes, strict=True)
        shares = " and ".join(f"{n / max(1, size):.1%} of the {side}'s {size:,}" for side, size in parts)
        return f"{n:,} shared atoms by {self.by}: {shares}"


def match_atoms(teacher: Named, student: Named) -> SharedAtoms:
    """Return the atoms that two models share, whatever their number.

    Tokens match that stand for the same bytes or have the same role, and by their strings only if one tokenizer does
    not tell what its strings stand for. Of several atoms with one name, the i-th of the teacher matches the i-th of
    the student. Without any names, two bases of equal size match by position.

    Raises:
        ValueError: if bases without token strings differ in size.
    """
    if teacher.tokens is None or student.tokens is None:
        return _by_position(len(teacher.token_ids), len(student.token_ids))
    if teacher.keys is not None and student.keys is not None:
        return _by_name(teacher.keys, student.keys, "bytes")
    return _by_name(teacher.tokens, student.tokens, "strings")


def _by_position(teacher: int, student: int) -> SharedAtoms:
    if teacher != student:
        raise ValueError(
            f"bases of {teacher} and {student} atoms cannot be matched without token strings: "
            "make them with SemanticBasis.from_model(load_model(...))"
        )
    return SharedAtoms(torch.arange(teacher), torch.arange(teacher), (teacher, student), "position")


def _by_name(teacher: Sequence[str], student: Sequence[str], by: Literal["bytes", "strings"]) -> SharedAtoms:
    position = {name: i for i, name in enumerate(_numbered(student))}
    pairs = [(i, position[name]) for i, name in enumerate(_numbered(teacher)) if name in position]
    matrix = torch.tensor(pairs, dtype=torch.long).reshape(-1, 2)
    return SharedAtoms(matrix[:, 0], matrix[:, 1], (len(teacher), len(student)), by)


def _numbered(names: Iterable[str]) -> list[tuple[str, int]]:
    """Return each name with how many before it are the same: a tokenizer may have a string at several ids."""
    seen: Counter[str] = Counter()
    numbered = []
    for name in names:
        numbered.append((name, seen[name]))
        seen[name] += 1
    return numbered


def shared_atoms(teacher_basis: Basis, student_basis: Basis) -> tuple[Int[Tensor, " shared"], Int[Tensor, " shared"]]:
    """Return the atoms that two models share, as positions in the teacher's and in the student's basis.

    Atoms match by the bytes of text that their tokens stand for, and special tokens by their role
    (:func:`match_atoms`), so vocabularies may differ in kind, order and size. The number of shared atoms is logged.

    Raises:
        ValueError: if bases without token strings differ in size, or if fewer atoms are shared than the wider space
            has dimensions, because the map could then not distinguish all directions.
    """
    found = match_atoms(teacher_basis, student_basis)
    needed = max(teacher_basis.width, student_basis.width)
    if len(found.teacher) < needed:
        raise ValueError(
            f"too few shared tokens: {found}; at least {needed}, the wider hidden size, are needed. "
            "Choose a teacher and a student whose tokenizers have more tokens in common; with atoms='data', give rows "
            "with more different tokens, or leave it out."
        )
    logger.info("%s", found)
    return found.teacher, found.student
