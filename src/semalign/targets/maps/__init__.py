"""The registry of maps from the teacher's space to the student's, ``target = h @ M``; each map has its own file.

A map is a function of teacher, student and settings. Its registration states what it needs from the two models::

    @alignment_map("mine", needs="bases")
    def mine(teacher: SemanticBasis, student: SemanticBasis, settings: TransferSettings) -> Tensor: ...
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor

from semalign.registry import Registry

Needs = Literal["bases", "inverted_heads", "heads", "states", "nothing"]
OF_MODELS: tuple[Needs, ...] = ("bases", "inverted_heads", "heads")  # what depends on the two models alone
Make = Callable[[Any, Any, Any], Tensor | None]


@dataclass(frozen=True)
class AlignmentMap:
    """How a map is computed.

    Attributes:
        make: function ``make(teacher, student, settings)``. It returns M of shape (D_T, D_S). With ``into="teacher"``
            it returns the initial value P, shape (D_S, D_T), of a projection of the student's states, or None for no
            projection.
        needs: what ``make`` receives for teacher and student: their output-side ``bases``
            (:class:`semalign.SemanticBasis`), the same as ``inverted_heads``, which make vectors chunk by chunk
            (:class:`semalign.bases.inverted_head.InvertedHead`), the rows of their LM ``heads`` for the shared tokens
            in the same order,
            their ``states`` at the paired layers and matched positions
            (:class:`semalign.targets.store.StateStore`), or ``nothing`` (None).
        into: the space of the targets: the student's, or the teacher's, in which case the layer loss compares the
            student's projected states with the teacher's states.
    """

    make: Make
    needs: Needs
    into: Literal["student", "teacher"] = "student"

    @property
    def of_models(self) -> bool:
        """Whether the map depends on the two models alone, and not on states."""
        return self.needs in OF_MODELS


MAPS: Registry[AlignmentMap] = Registry("map", __name__)
"""All maps by name, the value of the setting ``map``."""


def alignment_map(
    name: str, *, needs: Needs, into: Literal["student", "teacher"] = "student"
) -> Callable[[Make], Make]:
    """Return the decorator that registers a map; see :class:`AlignmentMap`.

    Raises:
        ValueError: for a projection into the teacher's space that is computed from bases or heads.
    """
    if into == "teacher" and needs in OF_MODELS:
        raise ValueError(f"map {name!r}: a projection into the teacher's space is fitted on states (needs='states')")

    def add(make: Make) -> Make:
        MAPS.add(name, AlignmentMap(make, needs, into))
        return make

    return add
