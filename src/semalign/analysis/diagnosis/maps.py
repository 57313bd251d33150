"""The maps that a diagnosis compares: the paper's, its controls, and those that a user would otherwise take."""

from collections.abc import Container, Sequence
from dataclasses import dataclass
from functools import cached_property

from jaxtyping import Float
from torch import Tensor

from semalign.analysis.diagnosis.states import HeldStates
from semalign.settings import TransferSettings
from semalign.targets.maps import MAPS
from semalign.targets.pair_heads import PairHeads
from semalign.targets.pair_map import map_of_models

COMPARED = (
    "semantic",
    "permuted",
    "random",
    "least_squares",
    "permuted_least_squares",
    "procrustes",
    "permuted_procrustes",
    "ridge",
    "permuted_ridge",
)
PAPER_MAP = "semantic"
CONTROL = "permuted"
RANDOM, ZERO = "random", "zero"  # zero takes the place of a target in the patch test
PERMUTATIONS = 3  # of the control


def control_of(name: str, names: Container[str]) -> str:
    """Return the control of a map: the same map with a permuted correspondence, else permuted atoms."""
    return f"{CONTROL}_{name}" if f"{CONTROL}_{name}" in names else CONTROL


def is_control(name: str) -> bool:
    """Return whether a map is there for comparison only: one that pairs wrong tokens or positions, or none at all."""
    return name.startswith(CONTROL) or name in (RANDOM, ZERO)


def _fits_states(name: str) -> bool:
    """Return whether a map is fitted on states of both models at the same positions."""
    return MAPS[name].needs == "states" and MAPS[name].into == "student"


def check_names(names: Sequence[str]) -> None:
    """Refuse maps that cannot be compared before training; the verdict is of the paper's map and its control.

    Raises:
        ValueError: for a map that needs training or does not end in the student's space, or without these two.
    """
    able = [name for name in MAPS if MAPS[name].of_models or _fits_states(name)]
    if unable := [name for name in names if name not in able]:
        raise ValueError(f"map {unable[0]!r} cannot be diagnosed: choose from {', '.join(able)}")
    if absent := [name for name in (PAPER_MAP, CONTROL) if name not in names]:
        raise ValueError(f"a diagnosis needs the map {absent[0]!r}")


@dataclass(frozen=True)
class Maps:
    """The maps of one pair; those that need states are fitted anew for each pair of layers.

    Attributes:
        heads: the heads of the pair, which all maps share.
        settings: settings of the transfer, of which the map is replaced.
        names: the maps to compare.
    """

    heads: PairHeads
    settings: TransferSettings
    names: Sequence[str] = COMPARED

    @cached_property
    def of_models(self) -> dict[str, list[Float[Tensor, "d_teacher d_student"]]]:
        """The maps that depend on the models alone; of the control several, with other seeds."""
        found: dict[str, list[Tensor]] = {}
        for name in self.names:
            if MAPS[name].of_models:
                seeds = range(PERMUTATIONS) if name == CONTROL else [self.settings.seed]
                each = [self.settings.model_copy(update={"map": name, "seed": seed}) for seed in seeds]
                found[name] = [map_of_models(self.heads, one) for one in each]  # type: ignore[misc]
        return found

    def fitted(self, teacher: HeldStates, student: HeldStates) -> dict[str, list[Float[Tensor, "d_teacher d_student"]]]:
        """Return the maps that are fitted on states of both models at the same positions."""
        return {
            name: [MAPS[name].make(teacher, student, self.settings).float()]  # type: ignore[union-attr]
            for name in self.names
            if _fits_states(name)
        }
