"""The whole diagnosis of a pair before any training: atoms, readings, patch test, verdict."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from torch import Tensor
from tqdm import tqdm

from semalign.analysis.diagnosis.atoms import Correspondence, Energy, correspondences, energy
from semalign.analysis.diagnosis.maps import COMPARED, Maps, check_names
from semalign.analysis.diagnosis.patches import patch_lines
from semalign.analysis.diagnosis.patching import PatchTest
from semalign.analysis.diagnosis.readings import Lines, Reader, spread
from semalign.analysis.diagnosis.settings import check_settings, repeated
from semalign.analysis.diagnosis.states import HeldStates, Place, Read, read_states
from semalign.analysis.diagnosis.verdict import verdict
from semalign.data.rows import Matched, Row
from semalign.models.architecture import Architecture
from semalign.models.evaluating import plain_torch
from semalign.models.pair import Pair
from semalign.settings import TransferSettings
from semalign.targets.choice import layer_map
from semalign.targets.pair_heads import PairHeads
from semalign.targets.supervision import match_examples

READ = 8  # layers of each model whose states are read
PATCHED = 4  # student layers that are patched
STRENGTHS = (0.5, 1.0)


@dataclass(frozen=True)
class Diagnosis:
    """What was found of a pair before any training.

    Attributes:
        vocabulary: shared atoms and their share of the data's tokens (:meth:`.PairHeads.vocabulary`).
        correspondence: of the unit ``atoms``, and of the ``head`` rows.
        energy: over how many directions each map that depends on the models alone spreads.
        readings: a line for each map and teacher layer: how often the target says the teacher's next token; and for
            layers of both models: how often their own states do, by their own heads.
        patches: a line for each map, student layer and strength: change of the response NLL with intervals.
        verdict: sentences.
        seconds: how long it took.
    """

    vocabulary: dict[str, Any]
    correspondence: dict[str, Correspondence]
    energy: dict[str, Energy]
    readings: pd.DataFrame
    patches: pd.DataFrame
    verdict: list[str]
    seconds: float


@plain_torch(gradients=False)
def diagnose(
    pair: Pair,
    rows: Sequence[Row],
    *,
    settings: TransferSettings | None = None,
    layers: Sequence[int] | None = None,
    strengths: Sequence[float] = STRENGTHS,
    maps: Sequence[str] = COMPARED,
) -> Diagnosis:
    """Measure whether alignment can carry anything from a teacher to a student, without training.

    The first half of the rows fits the maps that need states, the second half is measured.

    Args:
        pair: teacher and student, ``Pair(teacher, student)``; each is in memory or read by its name.
        rows: at least four rows of prompt and response, or of messages for the student's chat template.
        settings: settings of the transfer that is meant: interface, positions, layer map, folded norm, seed.
        layers: student layers of the patch test; by default four from the first to the last.
        strengths: how much of the student's own state the target replaces, from 0 to 1; at least one.
        maps: names of the maps to compare, ``semantic``, which is the paper's, and ``permuted`` among them.

    Raises:
        ValueError: for fewer than four rows, rows that cannot be encoded or have no common token ends, an unknown map
            or layer, a strength out of range or none, settings of targets that no map makes, or too few shared atoms;
            all before any forward pass.
    """
    _check_numbers(rows, strengths)
    return _Run(pair, rows, settings or TransferSettings.model_validate({}), layers, maps).result(strengths)


def _check_numbers(rows: Sequence[Row], strengths: Sequence[float]) -> None:
    if len(rows) < 4:
        raise ValueError(f"a diagnosis needs at least four rows, two to fit maps and two to measure; got {len(rows)}")
    if not strengths or not all(0 <= strength <= 1 for strength in strengths):
        raise ValueError(f"a diagnosis needs at least one strength, and each from 0 to 1; got {list(strengths)}")


class _Run:
    """One diagnosis: the pair, its rows, and what is read of them once."""

    def __init__(
        self,
        pair: Pair,
        rows: Sequence[Row],
        settings: TransferSettings,
        layers: Sequence[int] | None,
        names: Sequence[str],
    ) -> None:
        self.started = time.perf_counter()
        self.pair, self.rows, self.settings = pair, rows, settings
        self.half = len(rows) // 2
        check_settings(settings)
        check_names(names)
        self.layer_map, student = layer_map(pair, settings), pair.student_outline
        patched = [student.check_layer(k) for k in sorted(set(layers or ())) or spaced(student.n_layers, PATCHED)]
        self.patched = [(self.layer_map[k], k) for k in patched]
        self.examples = pair.encode(rows)
        halves = {"fit maps": slice(self.half), "are measured": slice(self.half, None)}
        self.matched = [each for what, half in halves.items() for each in self._matched(half, what)]
        self.heads = PairHeads(pair, fold_norm=settings.fold_norm)
        self.maps = Maps(self.heads, settings, names)

    def _matched(self, half: slice, what: str) -> list[Matched]:
        """Return the matching positions of each row of a half, which must have some."""
        teacher, student = (examples[half] for examples in self.examples)
        try:
            return match_examples(teacher, student, self.settings.positions)
        except ValueError as error:
            raise ValueError(f"of the rows that {what}, {error}") from None

    def result(self, strengths: Sequence[float]) -> Diagnosis:
        pairs = self.patched
        of_teacher, of_student = (spaced(n, READ) for n in (self.layer_map.n_teacher, self.layer_map.n_student))
        of_models, interface = self.maps.of_models, self.settings.interface
        teacher = self._states(
            "teacher", [*(Place("layer", i) for i in of_teacher), *(Place(interface, i) for i, _ in pairs)]
        )
        own = self._states(
            "student", [*(Place("layer", k) for k in of_student), *(Place(interface, k) for _, k in pairs)]
        )
        readings = pd.DataFrame(self._readings(teacher, own, of_teacher, of_student, of_models))
        patches = pd.DataFrame(self._patches(teacher, own, pairs, strengths, of_models))
        found = correspondences(self.heads, self.settings.seed)
        return Diagnosis(
            vocabulary=self.heads.vocabulary(self.rows),
            correspondence=found,
            energy={name: energy(made[0]) for name, made in of_models.items()},
            readings=readings,
            patches=patches,
            verdict=verdict(found["atoms"], readings, patches, repeated(self.settings.model_dump(mode="json"))),
            seconds=time.perf_counter() - self.started,
        )

    def _states(self, side: str, places: Sequence[Place]) -> Read:
        """Return the states of teacher or student, which is not needed in memory afterwards."""
        source = getattr(self.pair, f"{side}_source")
        at = [getattr(each, side) for each in self.matched]
        found = read_states(
            Architecture(source.load().model), getattr(self.examples, side), at, list(dict.fromkeys(places))
        )
        if side == "teacher":
            source.release()
        return found

    def _measured(self, states: HeldStates) -> HeldStates:
        return HeldStates([states[i] for i in range(self.half, len(states))])

    def _fitting(self, states: HeldStates) -> HeldStates:
        return HeldStates([states[i] for i in range(self.half)])

    def _readings(
        self,
        teacher: Read,
        own: Read,
        of_teacher: Sequence[int],
        of_student: Sequence[int],
        of_models: Mapping[str, list[Tensor]],
    ) -> Iterator[dict[str, Any]]:
        """Yield the lines of what targets, and both models by themselves, say."""
        ids = self.heads.shared_ids
        at = spread([len(each.student) for each in self.matched[self.half :]], len(ids[0]))

        def seen(states: HeldStates) -> Tensor:
            return HeldStates([states[self.half + row][kept] for row, kept in enumerate(at)]).all()

        lines = Lines(Reader(*self.heads.architectures, *ids, seen(teacher.final)), [len(each) for each in at])
        *inner, last = of_student
        for k in inner:
            yield lines.of_student(k, seen(own.places[Place("layer", k)]))
        yield lines.of_student_last(last, seen(own.final))
        yield lines.of_best_fit(self.layer_map.n_teacher)
        into = self._fitting(own.places[Place("layer", self.layer_map.n_student)])
        for i in tqdm(of_teacher, desc="readings", leave=False, disable=None):
            states = teacher.places[Place("layer", i)]
            yield from lines.of_layer(i, seen(states), {**of_models, **self.maps.fitted(self._fitting(states), into)})

    def _patches(
        self,
        teacher: Read,
        own: Read,
        pairs: Sequence[tuple[int, int]],
        strengths: Sequence[float],
        of_models: Mapping[str, list[Tensor]],
    ) -> Iterator[dict[str, Any]]:
        """Yield the lines of the patch test."""
        interface = self.settings.interface
        examples = self.examples.student[self.half :]
        at = [each.student for each in self.matched[self.half :]]
        for i, k in tqdm(pairs, desc="patch test", leave=False, disable=None):
            states = teacher.places[Place(interface, i)]
            fitted = self.maps.fitted(self._fitting(states), self._fitting(own.places[Place(interface, k)]))
            test = PatchTest(self.pair.student_architecture, examples, at, k, interface)
            where = {"interface": interface, "teacher_layer": i, "layer": k}
            for found in patch_lines(test, self._measured(states), {**of_models, **fitted}, strengths):
                yield where | found


def spaced(n: int, most: int) -> list[int]:
    """Return up to ``most`` of the layers 1..n at even distances, the first and the last among them.

    >>> spaced(12, 4)
    [1, 5, 8, 12]
    """
    if n <= most:
        return list(range(1, n + 1))
    return [round(1 + step * (n - 1) / (most - 1)) for step in range(most)]
