"""Build the supervision of student layers from a teacher, a student and rows: bases, maps, states, targets."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from semalign.bases.basis import SemanticBasis
from semalign.data.rows import Matched, Row
from semalign.models.architecture import Architecture
from semalign.models.pair import Encoded, Pair
from semalign.models.precision import wide_type
from semalign.settings import TransferSettings
from semalign.targets.choice import LayerPair, check_layers
from semalign.targets.maps import MAPS
from semalign.targets.passes import StatePasses
from semalign.targets.supervision import LayerTargets, Supervision, TeacherHead, match_examples
from semalign.targets.vocabularies import shared_atoms
from semalign.targets.vocabulary_report import vocabulary_report


class PairPasses(NamedTuple):
    """The forward passes of teacher and student over the same rows."""

    teacher: StatePasses
    student: StatePasses


class TargetBuilder:
    """Builds the supervision of student layers from the states of their teacher layers.

    The constructor computes the bases, and the map if it depends on the two models alone. It therefore rejects a
    damaged LM head or too few shared tokens before any long work.

    Args:
        pair: teacher and student.
        settings: settings of the transfer.
        teacher_logits: whether an output term needs the teacher's logits.
        alignment: a map of shape (D_T, D_S) that replaces the map of the settings.

    Raises:
        ValueError: if the settings name a layer that does not exist, for a damaged LM head, or for too few shared
            tokens.
    """

    def __init__(
        self,
        pair: Pair,
        settings: TransferSettings,
        *,
        teacher_logits: bool = False,
        alignment: Float[Tensor, "d_teacher d_student"] | None = None,
    ) -> None:
        self.pair, self.settings, self.teacher_logits = pair, settings, teacher_logits
        self.map = MAPS[settings.map]
        check_layers(pair, settings)
        _ = self.bases  # computed here so that a damaged head fails early
        if teacher_logits:
            _ = self.shared_ids
        self.alignment = self._map_of_models() if alignment is None else alignment

    @cached_property
    def bases(self) -> tuple[SemanticBasis, SemanticBasis]:
        """The output-side bases of teacher and student."""
        teacher, student = (
            SemanticBasis.from_model(model, fold_norm=self.settings.fold_norm)
            for model in (self.pair.teacher, self.pair.student)
        )
        return teacher, student

    @cached_property
    def shared_ids(self) -> tuple[Int[Tensor, " shared"], Int[Tensor, " shared"]]:
        """The tokens that both models share, as ids of the teacher's and of the student's vocabulary."""
        teacher, student = (b.token_ids[atoms] for b, atoms in zip(self.bases, shared_atoms(*self.bases), strict=True))
        return teacher, student

    def vocabulary(self, rows: Sequence[Row]) -> dict[str, Any]:
        """Return what the two vocabularies share, and how much of the rows' responses that covers."""
        return vocabulary_report(*self.bases, *self.pair.encode(rows))

    def _map_of_models(self) -> Float[Tensor, "d_teacher d_student"] | None:
        """Return the map of the settings if it depends on the models alone, else None."""
        if self.map.needs not in ("bases", "heads"):
            return None
        teacher, student = self.bases if self.map.needs == "bases" else self._heads()
        found = self.map.make(teacher, student, self.settings)  # (D_T, D_S)
        return None if found is None else found.to(self.pair.student_architecture.device, torch.float32)

    def _heads(self) -> tuple[Tensor, Tensor]:
        """Return the head rows of the shared tokens in the same order, shapes (shared, D_T) and (shared, D_S)."""
        architectures = self.pair.teacher_architecture, self.pair.student_architecture
        heads = (a.folded_head() if self.settings.fold_norm else a.head_weight.detach() for a in architectures)
        teacher, student = (head[ids] for head, ids in zip(heads, self.shared_ids, strict=True))
        return teacher, student

    def supervision(
        self,
        rows: Sequence[Row],
        pairs: Sequence[LayerPair],
        folder: Path,
        *,
        student: Architecture | None = None,
        fitted: Sequence[LayerTargets] | None = None,
    ) -> Supervision:
        """Return the supervision of the student layers in ``pairs``.

        States are computed once and stored below ``folder``.

        Args:
            rows: rows to train on or to measure.
            pairs: layer pairs, shallow to deep.
            folder: where states are stored.
            student: the current student, if layers below the first pair have been trained already. Its states then
                need a folder of their own.
            fitted: targets of the training rows, whose fitted maps are reused. With None, a map that is fitted on
                states is fitted on these rows.
        """
        examples = self.pair.encode(rows)
        matched = match_examples(examples.teacher, examples.student, self.settings.positions)
        passes = self._passes(examples, matched, folder, student)
        known: Sequence[LayerTargets | None] = fitted or [None] * len(pairs)
        teacher_final, teacher_head = None, None
        if self.teacher_logits:
            teacher_final = passes.teacher.final_states()
            teacher_head = TeacherHead(self.pair.teacher_architecture, *self.shared_ids)
        return Supervision(
            examples=examples.student,
            positions=self.settings.positions,
            matched=matched,
            entering=passes.student.entering_states(pairs[0].student),
            layers=[self._targets(pair, passes, targets) for pair, targets in zip(pairs, known, strict=True)],
            device=self.pair.student_architecture.device,
            teacher_final=teacher_final,
            teacher_head=teacher_head,
        )

    def _passes(
        self, examples: Encoded, matched: Sequence[Matched], folder: Path, student: Architecture | None
    ) -> PairPasses:
        """Return the forward passes of both models over the examples."""
        fingerprints, current = self.pair.fingerprints, student or self.pair.student_architecture
        at = [each.teacher for each in matched], [each.student for each in matched]
        return PairPasses(
            StatePasses(self.pair.teacher_architecture, examples.teacher, at[0], folder, fingerprints["teacher"]),
            StatePasses(current, examples.student, at[1], folder, fingerprints["student"]),
        )

    def _targets(self, pair: LayerPair, passes: PairPasses, fitted: LayerTargets | None) -> LayerTargets:
        """Return the targets of one student layer, with the map of ``fitted`` or, if that is None, a new one."""
        interface = self.settings.interface
        states = passes.teacher.layer_states(pair.teacher, interface)
        if fitted is not None:
            return replace(fitted, teacher_states=states)
        if self.map.needs != "states" or self.alignment is not None:
            return LayerTargets(pair.student, states, self.alignment)
        # The map is fitted on states of both models at the same matched positions.
        student_states = passes.student.layer_states([(pair.student, 1.0)], interface)
        found = self.map.make(states, student_states, self.settings)
        if found is not None:
            found = found.to(self.pair.student_architecture.device, wide_type(student_states.dtype))
        if self.map.into == "teacher":
            return LayerTargets(pair.student, states, projection=found)
        return LayerTargets(pair.student, states, alignment=found)
