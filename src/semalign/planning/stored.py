"""The states that a transfer stores on disk, told apart as far as a plan knows: jobs with the same ones share them."""

import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from semalign.models.head_outputs import HEADS
from semalign.models.precision import wide_type
from semalign.planning.layers import attributes, pairs_of
from semalign.planning.setup import Setup
from semalign.planning.shapes import Shapes
from semalign.planning.texts import Texts, trained_on
from semalign.settings import MethodSettings, TransferSettings
from semalign.targets.choice import LayerPair
from semalign.targets.maps import MAPS
from semalign.training.output_terms import OUTPUT_TERMS
from semalign.training.schedules import SCHEDULES
from semalign.training.schedules.frontier import shares

TRAINING, HELD_OUT = "training rows", "held-out rows"
BY_ATTRIBUTION = {"layer_map", "interpolate"}  # what decides the layers beside attribution


class States(NamedTuple):
    """Which states of a model these are.

    Attributes:
        model: name of the model.
        task: the task whose rows it reads.
        rows: how many of them.
        of: which rows these are.
        place: the interface and the layers, what enters a layer, or the final ones.
    """

    model: str
    task: str
    rows: int
    of: str
    place: str


def states_on_disk(
    setup: Setup, settings: MethodSettings, texts: Texts, task: str, held_out: Texts | None = None
) -> dict[States, int]:
    """Return the bytes of the states that a transfer stores.

    For each layer pair these are the teacher's states, wider than the model where two layers are mixed, and those of
    the student's layer if the map is fitted on states; then what enters the first trained layer and, for an output term
    on the teacher's logits, the teacher's final states. Held-out rows have the same, but no map is fitted on them. A
    schedule that trains every layer has rows of its own for each, and the student's states of one layer at a time.

    Args:
        setup: the two models.
        settings: settings of any method; only a transfer stores states.
        texts: the training rows.
        task: the task that they are of.
        held_out: the rows that the training is measured on, if there are any.

    Raises:
        ValueError: as for :func:`semalign.planning.layers.pairs_of`.
    """
    if not isinstance(settings, TransferSettings):
        return {}
    stored, trained = _Stored(setup, settings, task), trained_on(texts, settings)
    if SCHEDULES[settings.schedule].every_layer:
        stored.in_turns(trained)
    else:
        own = TRAINING if settings.responses == "given" else f"{TRAINING}, answered by {setup.teacher.name}"
        stored.at_once(trained, own, MAPS[settings.map].needs == "states")
        if held_out is not None:
            stored.at_once(held_out, HELD_OUT, fitted=False)
    return stored.found


@dataclass(frozen=True)
class _Stored:
    """The states of one transfer, each kind once."""

    setup: Setup
    settings: TransferSettings
    task: str
    found: dict[States, int] = field(default_factory=dict)

    @cached_property
    def pairs(self) -> list[LayerPair]:
        """The layer pairs."""
        return pairs_of(self.setup, self.settings)

    def at_once(self, texts: Texts, of: str, fitted: bool) -> None:
        """Add the states of rows that all pairs have together."""
        self.of_teacher(self.pairs, texts, of)
        self.of_student(self.pairs, texts, of, fitted)

    def in_turns(self, texts: Texts) -> None:
        """Add the states where each pair has rows of its own: all of the teacher's, and the student's of one pair."""
        _, parts = shares([{}] * len(texts), len(self.pairs), self.settings.epochs, self.settings.seed)
        size, seen = len(parts[0]), texts.cycled(sum(map(len, parts)))
        for turn, pair in enumerate(self.pairs):
            self.of_teacher([pair], seen.between(turn * size, (turn + 1) * size), f"rows of turn {turn + 1}")
        self.of_student(self.pairs[-1:], seen.first(size), "rows of a turn", MAPS[self.settings.map].needs == "states")

    def of_teacher(self, pairs: list[LayerPair], texts: Texts, of: str) -> None:
        """Add the states of the teacher layers, and the final ones if a term on logits needs them."""
        teacher = self.setup.teacher
        for pair in pairs:
            self._add(teacher, texts, of, self._place(pair), self._at_interface(texts), mixed=len(pair.teacher) > 1)
        if OUTPUT_TERMS[self.settings.output_loss].needs_teacher:
            self._add(teacher, texts, of, self._at("final"), self._positions(texts))

    def of_student(self, pairs: list[LayerPair], texts: Texts, of: str, fitted: bool) -> None:
        """Add the states that enter the first trained layer, and those of all trained ones for a fitted map."""
        student = self.setup.student
        self._add(student, texts, of, f"entering layer {pairs[0].student}", texts.tokens)
        for pair in pairs if fitted else ():
            place = self._at(f"{self.settings.interface} {pair.student}")
            self._add(student, texts, of, place, self._at_interface(texts))

    def _add(self, model: Shapes, texts: Texts, of: str, place: str, number: int, mixed: bool = False) -> None:
        dtype = self.setup.options.type_of(model)
        size = number * model.width * (wide_type(dtype) if mixed else dtype).itemsize
        self.found[States(model.name, self.task, len(texts), of, place)] = size

    def _place(self, pair: LayerPair) -> str:
        """Return the interface and the layers; what decides these where attribution does, since it is not known yet."""
        chosen = self.settings.model_dump(mode="json", include=BY_ATTRIBUTION)
        layers = json.dumps(chosen if attributes(self.settings) else pair.teacher)
        return self._at(f"{self.settings.interface} {layers}")

    def _at(self, place: str) -> str:
        return f"{place}, positions: {self.settings.positions}"

    def _at_interface(self, texts: Texts) -> int:
        return self._positions(texts) * (self.setup.teacher.heads if self.settings.interface == HEADS else 1)

    def _positions(self, texts: Texts) -> int:
        return texts.positions if self.settings.positions == "response" else texts.tokens - len(texts)
