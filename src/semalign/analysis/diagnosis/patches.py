"""The lines of a patch test: what the targets of each map do to the response NLL, by layer and strength."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from semalign.analysis.diagnosis.maps import ZERO, control_of
from semalign.analysis.diagnosis.patching import PatchTest
from semalign.analysis.diagnosis.states import HeldStates
from semalign.results.statistics import paired_bootstrap

Targets = Sequence[Tensor] | None  # of each row, at its positions; None for zero


def patch_lines(
    test: PatchTest,
    states: HeldStates,
    made: Mapping[str, Sequence[Float[Tensor, "d_teacher d_student"]]],
    strengths: Sequence[float],
) -> Iterator[dict[str, Any]]:
    """Yield a line for each strength and map: the response NLL, and its change with paired intervals over rows.

    A change is against the student's own states, against the map's control (:func:`.control_of`) and against zero.

    Args:
        test: the patch test of one student layer.
        states: the teacher's states that targets are made of.
        made: the maps; of one with several the losses of each row are averaged.
        strengths: how much of the student's own state a target replaces.
    """
    before = test.own()
    targets: dict[str, list[Targets]] = {ZERO: [None]}
    targets |= {name: [aligned(states, one) for one in of] for name, of in made.items()}
    for strength in strengths:
        after = {name: np.mean([test.patched(each, strength) for each in of], axis=0) for name, of in targets.items()}
        for name, values in after.items():
            yield {"strength": strength, "map": name, "nll": float(values.mean()), **_changes(name, before, after)}


def aligned(states: HeldStates, alignment: Float[Tensor, "d_teacher d_student"]) -> Sequence[Tensor]:
    """Return the targets of each row, by one product on the device of the map."""
    found = states.all().to(alignment) @ alignment
    return found.cpu().split([len(states[i]) for i in range(len(states))])


def _changes(name: str, before: Sequence[float], after: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Return the change of the NLL against the student's own states, the map's control and zero, with intervals."""
    others = {"change": before, "against_control": after.get(control_of(name, after)), "against_zero": after[ZERO]}
    found: dict[str, float] = {}
    for what, other in others.items():
        if other is not None:
            estimate = paired_bootstrap(after[name], other)
            found |= {what: estimate.value, f"{what}_low": estimate.low, f"{what}_high": estimate.high}
    return found
