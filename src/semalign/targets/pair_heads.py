"""The LM heads of a teacher and a student: their inverses, and the rows and tokens that both share."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from semalign.bases.basis import SemanticBasis
from semalign.bases.inverted_head import InvertedHead
from semalign.data.rows import Row
from semalign.models.architecture import Architecture
from semalign.models.pair import Pair
from semalign.models.precision import wide
from semalign.targets.vocabularies import shared_atoms
from semalign.targets.vocabulary_report import vocabulary_report


class PairHeads:
    """The LM heads of a pair of models, whose other weights are not asked for.

    Both heads are inverted, also where nothing needs their inverses, so that a damaged head fails before any long work.

    Args:
        pair: teacher and student.
        fold_norm: whether the final norm's gain is folded into a head first.

    Attributes:
        pair: teacher and student.
        architectures: teacher and student, with numbers in final norm and head.
        inverted: the inverted heads of teacher and student.

    Raises:
        ValueError: for a damaged LM head.
    """

    def __init__(self, pair: Pair, *, fold_norm: bool = False) -> None:
        self.pair, self._fold_norm = pair, fold_norm
        self._models = pair.teacher_source.head(), pair.student_source.head()
        self.architectures = Architecture(self._models[0].model), Architecture(self._models[1].model)
        teacher, student = (InvertedHead.of(model, fold_norm=fold_norm) for model in self._models)
        self.inverted = teacher, student

    @property
    def widths(self) -> tuple[int, int]:
        """The widths D_T and D_S."""
        return self.architectures[0].width, self.architectures[1].width

    @property
    def device(self) -> torch.device:
        """The device of the student's head, where maps and targets are."""
        return self.architectures[1].device

    @property
    def bases(self) -> tuple[SemanticBasis, SemanticBasis]:
        """The output-side bases of teacher and student, with all vectors."""
        teacher, student = (SemanticBasis.from_head(model, fold_norm=self._fold_norm) for model in self._models)
        return teacher, student

    @cached_property
    def shared_ids(self) -> tuple[Int[Tensor, " shared"], Int[Tensor, " shared"]]:
        """The tokens that both models share, as ids of the teacher's and of the student's vocabulary.

        ``ValueError`` if these are too few (:func:`semalign.shared_atoms`).
        """
        teacher, student = (
            head.token_ids[atoms] for head, atoms in zip(self.inverted, shared_atoms(*self.inverted), strict=True)
        )
        return teacher, student

    @property
    def shared_rows(self) -> tuple[Float[Tensor, "shared d_teacher"], Float[Tensor, "shared d_student"]]:
        """The rows of both heads for the shared tokens in the same order, times the factor of the logits."""
        teacher, student = (self._rows(*each) for each in zip(self.architectures, self.shared_ids, strict=True))
        return teacher, student

    def _rows(self, model: Architecture, ids: Int[Tensor, " shared"]) -> Float[Tensor, "shared d"]:
        """Return some rows of a head, times the factor of the logits, in float32 or wider."""
        rows = model.folded_head(ids) if self._fold_norm else wide(model.head_weight.detach()[ids])
        return rows if model.logit_scale == 1 else model.logit_scale * rows

    def vocabulary(self, rows: Sequence[Row]) -> dict[str, Any]:
        """Return what the two vocabularies share, and how much of the rows' responses that covers."""
        return vocabulary_report(*self.inverted, *self.pair.encode(rows))
