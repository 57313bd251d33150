"""Build the supervision of student layers from a teacher, a student and rows: map, states, targets."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import NamedTuple

from semalign.data.rows import Matched, Row
from semalign.models.architecture import Architecture
from semalign.models.pair import Encoded, Pair
from semalign.models.precision import wide_type
from semalign.settings import TransferSettings
from semalign.targets.alignment import AtomAlignment
from semalign.targets.choice import LayerPair, check_layers
from semalign.targets.maps import MAPS
from semalign.targets.pair_heads import PairHeads
from semalign.targets.pair_map import by_atoms, map_of_models
from semalign.targets.passes import StatePasses
from semalign.targets.store import StateStore
from semalign.targets.supervision import LayerTargets, Supervision, TeacherHead, match_examples


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
        rows: training rows, for settings that choose atoms by their tokens.

    Attributes:
        heads: the heads of the pair.
        alignment: the map of the settings, shape (D_T, D_S), if it depends on the two models alone.

    Raises:
        ValueError: if the settings name a layer that does not exist, for a damaged LM head, or for too few shared
            tokens.
    """

    def __init__(
        self, pair: Pair, settings: TransferSettings, *, teacher_logits: bool = False, rows: Sequence[Row] = ()
    ) -> None:
        self.pair, self.settings, self._rows = pair, settings, rows
        check_layers(pair, settings)
        self.heads = PairHeads(pair, fold_norm=settings.fold_norm)
        teacher = self.heads.architectures[0]
        self._teacher_head = TeacherHead(teacher, *self.heads.shared_ids) if teacher_logits else None
        self.alignment = map_of_models(self.heads, settings, rows)

    @cached_property
    def _by_atoms(self) -> AtomAlignment | None:
        """What makes targets atom by atom, if the settings ask for it; it is large, so it waits for the states."""
        return by_atoms(self.heads, self.settings, self._rows)

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
        deepest = None if self._teacher_head else max(layer for pair in pairs for layer, _ in pair.teacher)
        passes = StatePasses(
            self.pair.teacher_outline,
            examples.teacher,
            [each.teacher for each in matched],
            folder,
            self.pair.fingerprints["teacher"],
            lambda: Architecture(self.pair.teacher_source.load(deepest).model),
        )
        of_logits = self._teacher_head is not None
        layers = passes.layer_states([pair.teacher for pair in pairs], self.settings.interface, final=of_logits)
        final = layers.pop() if of_logits else None
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
        if fitted:
            targets = [replace(one, teacher_states=of) for one, of in zip(fitted, signals.layers, strict=True)]
        else:
            targets = self._targets(pairs, signals.layers, passes)
        return Supervision(
            examples=signals.examples.student,
            positions=self.settings.positions,
            matched=signals.matched,
            entering=passes.entering_states(pairs[0].student),
            layers=targets,
            device=self.heads.device,
            teacher_final=signals.final,
            teacher_head=self._teacher_head,
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
        self, pairs: Sequence[LayerPair], states: Sequence[StateStore], passes: StatePasses
    ) -> list[LayerTargets]:
        """Return the targets of all student layers, of which each has a map of its own if these are fitted."""
        layers = [pair.student for pair in pairs]
        if MAPS[self.settings.map].needs != "states":
            made = partial(LayerTargets, alignment=self.alignment, by_atoms=self._by_atoms)
            return list(map(made, layers, states))
        own = passes.layer_states([[(k, 1.0)] for k in layers], self.settings.interface)
        return list(map(self._fitted, layers, states, own))

    def _fitted(self, k: int, teacher: StateStore, student: StateStore) -> LayerTargets:
        """Return the targets of layer ``k`` with a map that is fitted on states at the same matched positions."""
        kind = MAPS[self.settings.map]
        found = kind.make(teacher, student, self.settings)
        if found is not None:
            found = found.to(self.heads.device, wide_type(student.dtype))
        if kind.into == "teacher":
            return LayerTargets(k, teacher, projection=found)
        return LayerTargets(k, teacher, alignment=found)
