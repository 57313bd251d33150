"""The registry of maps from the teacher's space to the student's; all act as ``target = h @ M``, one file each.

A map is a function of teacher, student and settings, registered with what it needs of the two models::

    @alignment_map("mine", needs="bases")
    def mine(teacher: SemanticBasis, student: SemanticBasis, settings: TransferSettings) -> Tensor: ...
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor

from semalign.registry import Registry

Needs = Literal["bases", "heads", "states", "nothing"]
Make = Callable[[Any, Any, Any], Tensor | None]


@dataclass(frozen=True)
class AlignmentMap:
    """How a map is made.

    Attributes:
        make: ``make(teacher, student, settings)``. It returns M of shape (D_T, D_S); or, with ``into="teacher"``, the
            first value P of shape (D_S, D_T) of a projection of the student's states, or None for no projection.
        needs: what ``make`` is given of teacher and student: their output-side ``bases``
            (:class:`semalign.SemanticBasis`), the rows of their LM ``heads`` for the shared tokens in one order, their
            ``states`` at the paired layers and matched positions (:class:`semalign.targets.store.StateStore`), or
            ``nothing`` (None).
        into: where targets live: in the student's space, or in the teacher's, where the layer loss compares the
            student's projected states with the teacher's own.
    """

    make: Make
    needs: Needs
    into: Literal["student", "teacher"] = "student"

    @property
    def spaces_differ(self) -> bool:
        """Whether the student's states and their targets stay in two spaces: neither is mapped."""
        return self.into == "teacher" and self.needs == "nothing"


MAPS: Registry[AlignmentMap] = Registry("map", __name__)
"""Maps by the name that the setting ``map`` takes."""


def alignment_map(
    name: str, *, needs: Needs, into: Literal["student", "teacher"] = "student"
) -> Callable[[Make], Make]:
    """Return the decorator that registers a map; see :class:`AlignmentMap`.

    Raises:
        ValueError: for a projection into the teacher's space that is not fitted on states.
    """
    if into == "teacher" and needs in ("bases", "heads"):
        raise ValueError(f"map {name!r}: a projection into the teacher's space is fitted on states (needs='states')")

    def add(make: Make) -> Make:
        MAPS.add(name, AlignmentMap(make, needs, into))
        return make

    return add
