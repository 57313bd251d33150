"""Build the supervision of student layers from a teacher, a student and rows: bases, maps, states, targets."""

from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from semalign.bases.basis import SemanticBasis
from semalign.bases.inverted_head import InvertedHead
from semalign.data.rows import Matched, Row
from semalign.models.architecture import Architecture
from semalign.models.pair import Encoded, Pair
from semalign.models.precision import wide, wide_type
from semalign.settings import TransferSettings
from semalign.targets.alignment import AtomAlignment
from semalign.targets.choice import LayerPair, check_layers
from semalign.targets.chosen_atoms import chosen_atoms
from semalign.targets.maps import MAPS, check_map
from semalign.targets.passes import StatePasses
from semalign.targets.store import StateStore
from semalign.targets.supervision import LayerTargets, Supervision, TeacherHead, match_examples
from semalign.targets.vocabularies import shared_atoms
from semalign.targets.vocabulary_report import vocabulary_report


class TeacherSignals(NamedTuple):
    """All that the supervision of some rows takes from the teacher; its states are on disk.

    Attributes:
        examples: the rows, encoded for both models.
        matched: for each row, the positions at which both models have read the same text.
        layers: the states of the teacher layers of each pair.
        final: the states after the final norm, if an output term needs the teacher's logits.
    """

    examples: Encoded
    matched: Sequence[Matched]
    layers: list[StateStore]
    final: StateStore | None


class TargetBuilder:
    """Builds the supervision of student layers from the states of their teacher layers.

    The constructor inverts both heads, and makes the map if it depends on the two models alone. It therefore rejects a
    damaged LM head or too few shared tokens before any long work. Of both models it takes only the heads. Weights of
    the teacher's layers are needed by :meth:`signals`, for states that are not stored, and those of the student by
    :meth:`supervision`.

    Args:
        pair: teacher and student.
        settings: settings of the transfer.
        teacher_logits: whether an output term needs the teacher's logits.
        alignment: a map of shape (D_T, D_S) that replaces the map of the settings.
        rows: training rows, for settings that choose atoms by their tokens.

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
        rows: Sequence[Row] = (),
    ) -> None:
        self.pair, self.settings, self.teacher_logits, self.rows = pair, settings, teacher_logits, rows
        self.map = MAPS[settings.map]
        check_layers(pair, settings)
        heads = self._head_models = pair.teacher_source.head(), pair.student_source.head()
        self._heads = [Architecture(head.model) for head in heads]
        self.device = self._heads[1].device
        # Also where no map needs them, so that a damaged head fails early.
        teacher, student = (InvertedHead.of(head, fold_norm=settings.fold_norm) for head in heads)
        self.inverted = teacher, student
        self.teacher_head = TeacherHead(self._heads[0], *self.shared_ids) if teacher_logits else None
        self.alignment = self._map_of_models() if alignment is None else alignment

    def with_map(self, name: str, seed: int) -> "TargetBuilder":
        """Return a builder of another map, made with another seed, that shares the heads and their inverses."""
        other = copy(self)
        other.settings, other.map = self.settings.model_copy(update={"map": name, "seed": seed}), MAPS[name]
        for found in ("atoms", "by_atoms"):  # these depend on map and seed
            other.__dict__.pop(found, None)
        other.alignment = other._map_of_models()
        return other

    @property
    def bases(self) -> tuple[SemanticBasis, SemanticBasis]:
        """The output-side bases of teacher and student, with all vectors."""
        fold_norm = self.settings.fold_norm
        teacher, student = (SemanticBasis.from_head(head, fold_norm=fold_norm) for head in self._head_models)
        return teacher, student

    @cached_property
    def shared_ids(self) -> tuple[Int[Tensor, " shared"], Int[Tensor, " shared"]]:
        """The tokens that both models share, as ids of the teacher's and of the student's vocabulary."""
        teacher, student = (
            head.token_ids[atoms] for head, atoms in zip(self.inverted, shared_atoms(*self.inverted), strict=True)
        )
        return teacher, student

    def vocabulary(self, rows: Sequence[Row]) -> dict[str, Any]:
        """Return what the two vocabularies share, and how much of the rows' responses that covers."""
        return vocabulary_report(*self.inverted, *self.pair.encode(rows))

    def _map_of_models(self) -> Float[Tensor, "d_teacher d_student"] | None:
        """Return the map of the settings if it depends on the models alone, else None."""
        if self.map.needs == "states":
            return None
        teacher, student = self._needed()
        found = self.map.make(teacher, student, self.settings)  # (D_T, D_S)
        if found is None:  # no map, and the targets stay in the teacher's space
            return None
        widths = self._heads[0].width, self._heads[1].width
        return check_map(self.settings.map, found, widths).to(self.device, torch.float32)

    @cached_property
    def by_atoms(self) -> AtomAlignment | None:
        """What makes targets from coefficients that differ from the cosines, if the settings ask for it."""
        kept, temperature = self.settings.top_atoms, self.settings.temperature
        if kept is None and temperature is None:
            return None
        teacher, student = self.atoms
        if self.settings.map == "permuted":
            student = student.permuted(self.settings.seed)
        return AtomAlignment.of(teacher, student, kept, temperature)

    @cached_property
    def atoms(self) -> tuple[InvertedHead, InvertedHead]:
        """The atoms of both models that a map from atom to atom uses."""
        if self.settings.atoms == "all":
            return self.inverted
        examples = self.pair.encode(self.rows).student
        return chosen_atoms(*self.inverted, self.settings.atoms, examples, self.settings.seed)

    def _needed(self) -> Sequence[Any]:
        """Return what the map of the settings needs of teacher and student."""
        if self.map.needs == "nothing":
            return None, None
        if self.map.needs == "heads":
            return self._head_rows()
        return self.bases if self.map.needs == "bases" else self.atoms

    def _head_rows(self) -> tuple[Tensor, Tensor]:
        """Return the head rows of the shared tokens in the same order, shapes (shared, D_T) and (shared, D_S)."""
        teacher, student = (self._scaled_rows(*each) for each in zip(self._heads, self.shared_ids, strict=True))
        return teacher, student

    def _scaled_rows(self, model: Architecture, ids: Tensor) -> Float[Tensor, "shared d"]:
        """Return some rows of a head, times the factor of the logits, in float32 or wider."""
        rows = model.folded_head(ids) if self.settings.fold_norm else wide(model.head_weight.detach()[ids])
        return rows if model.logit_scale == 1 else model.logit_scale * rows

    def signals(self, rows: Sequence[Row], pairs: Sequence[LayerPair], folder: Path) -> TeacherSignals:
        """Return all that the supervision of rows takes from the teacher, which is not needed afterwards.

        States are computed once and stored below ``folder``. Of a teacher by name, only the layers up to the deepest
        pair are loaded, or all for its logits, and none if all states are stored.

        Args:
            rows: rows to train on or to measure.
            pairs: layer pairs, shallow to deep.
            folder: where states are stored.
        """
        examples = self.pair.encode(rows)
        matched = match_examples(examples.teacher, examples.student, self.settings.positions)
        deepest = None if self.teacher_head else max(layer for pair in pairs for layer, _ in pair.teacher)
        passes = StatePasses(
            self.pair.teacher_outline,
            examples.teacher,
            [each.teacher for each in matched],
            folder,
            self.pair.fingerprints["teacher"],
            lambda: Architecture(self.pair.teacher_source.load(deepest).model),
        )
        final = passes.final_states() if self.teacher_head else None
        layers = [passes.layer_states(pair.teacher, self.settings.interface) for pair in pairs]
        return TeacherSignals(examples, matched, layers, final)

    def supervision(
        self,
        rows: Sequence[Row],
        pairs: Sequence[LayerPair],
        folder: Path,
        *,
        signals: TeacherSignals | None = None,
        student: Architecture | None = None,
        fitted: Sequence[LayerTargets] | None = None,
    ) -> Supervision:
        """Return the supervision of the student layers in ``pairs``.

        States are computed once and stored below ``folder``.

        Args:
            rows: rows to train on or to measure.
            pairs: layer pairs, shallow to deep.
            folder: where states are stored.
            signals: what :meth:`signals` returned for the same rows and pairs; by default it is asked here.
            student: the current student, if layers below the first pair have been trained already. Its states then
                need a folder of their own.
            fitted: targets of the training rows, whose fitted maps are reused. With None, a map that is fitted on
                states is fitted on these rows.
        """
        signals = signals or self.signals(rows, pairs, folder)
        passes = self._student_passes(signals, folder, student)
        known: Sequence[LayerTargets | None] = fitted or [None] * len(pairs)
        targets = [self._targets(*each, passes) for each in zip(pairs, signals.layers, known, strict=True)]
        return Supervision(
            examples=signals.examples.student,
            positions=self.settings.positions,
            matched=signals.matched,
            entering=passes.entering_states(pairs[0].student),
            layers=targets,
            device=self.device,
            teacher_final=signals.final,
            teacher_head=self.teacher_head,
        )

    def _student_passes(self, signals: TeacherSignals, folder: Path, student: Architecture | None) -> StatePasses:
        return StatePasses(
            student or self.pair.student_outline,
            signals.examples.student,
            [each.student for each in signals.matched],
            folder,
            self.pair.fingerprints["student"],
            None if student else lambda: self.pair.student_architecture,
        )

    def _targets(
        self, pair: LayerPair, states: StateStore, fitted: LayerTargets | None, passes: StatePasses
    ) -> LayerTargets:
        """Return the targets of one student layer, with the map of ``fitted`` or, if that is None, a new one."""
        interface = self.settings.interface
        if fitted is not None:
            return replace(fitted, teacher_states=states)
        if self.map.needs != "states" or self.alignment is not None:
            return LayerTargets(pair.student, states, self.alignment, by_atoms=self.by_atoms)
        # The map is fitted on states of both models at the same matched positions.
        student_states = passes.layer_states([(pair.student, 1.0)], interface)
        found = self.map.make(states, student_states, self.settings)
        if found is not None:
            found = found.to(self.device, wide_type(student_states.dtype))
        if self.map.into == "teacher":
            return LayerTargets(pair.student, states, projection=found)
        return LayerTargets(pair.student, states, alignment=found)
