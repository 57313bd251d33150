"""The maps that a diagnosis compares: the paper's, its controls, and those that a user would otherwise take."""

from collections.abc import Container, Sequence
from dataclasses import dataclass
from functools import cached_property

from jaxtyping import Float
from torch import Tensor

from semalign.analysis.diagnosis.states import HeldStates
from semalign.models.pair import Pair
from semalign.settings import TransferSettings
from semalign.targets.builder import TargetBuilder
from semalign.targets.maps import MAPS

COMPARED = (
    "semantic",
    "permuted",
    "random",
    "least_squares",
    "permuted_least_squares",
    "procrustes",
    "permuted_procrustes",
    "ridge",
)
PAPER_MAP = "semantic"
CONTROL = "permuted"
PERMUTATIONS = 3  # of the control


def control_of(name: str, names: Container[str]) -> str:
    """Return the control of a map: the same map with a permuted correspondence, else permuted atoms."""
    return f"permuted_{name}" if f"permuted_{name}" in names else CONTROL


def _fits_states(name: str) -> bool:
    """Return whether a map is fitted on states of both models at the same positions."""
    return MAPS[name].needs == "states" and MAPS[name].into == "student"


@dataclass(frozen=True)
class Maps:
    """The maps of one pair; those that need states are fitted anew for each pair of layers.

    Attributes:
        pair: teacher and student.
        settings: settings of the transfer, of which the map is replaced.
        names: the maps to compare.
    """

    pair: Pair
    settings: TransferSettings
    names: Sequence[str] = COMPARED

    def __post_init__(self) -> None:
        """Refuse maps that cannot be compared before training; the verdict is of the paper's map and its control."""
        able = [name for name in MAPS if MAPS[name].of_models or _fits_states(name)]
        if unable := [name for name in self.names if name not in able]:
            raise ValueError(f"map {unable[0]!r} cannot be diagnosed: choose from {', '.join(able)}")
        if absent := [name for name in (PAPER_MAP, CONTROL) if name not in self.names]:
            raise ValueError(f"a diagnosis needs the map {absent[0]!r}")

    @cached_property
    def of_models(self) -> dict[str, list[Float[Tensor, "d_teacher d_student"]]]:
        """The maps that depend on the models alone; of the control several, with other seeds."""
        found: dict[str, list[Tensor]] = {}
        for name in self.names:
            if MAPS[name].of_models:
                seeds = range(PERMUTATIONS) if name == CONTROL else [self.settings.seed]
                found[name] = [self._builder(name, seed).alignment for seed in seeds]  # type: ignore[misc]
        return found

    def fitted(self, teacher: HeldStates, student: HeldStates) -> dict[str, list[Float[Tensor, "d_teacher d_student"]]]:
        """Return the maps that are fitted on states of both models at the same positions."""
        return {
            name: [MAPS[name].make(teacher, student, self.settings).float()]  # type: ignore[union-attr]
            for name in self.names
            if _fits_states(name)
        }

    def _builder(self, name: str, seed: int) -> TargetBuilder:
        return TargetBuilder(self.pair, self.settings.model_copy(update={"map": name, "seed": seed}))
