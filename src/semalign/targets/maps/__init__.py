"""The registry of maps from the teacher's space to the student's, ``target = h @ M``; each map has its own file.

A map is a function of teacher, student and settings. Its registration states what it needs from the two models::

    @alignment_map("mine", needs="bases", atoms="shared")
    def mine(teacher: SemanticBasis, student: SemanticBasis, settings: TransferSettings) -> Tensor: ...
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from semalign.errors import nearest
from semalign.registry import Registry

Needs = Literal["bases", "inverted_heads", "heads", "states", "nothing"]
Into = Literal["student", "teacher"]
Atoms = Literal["paired", "permuted", "shared"]
OF_MODELS: tuple[Needs, ...] = ("bases", "inverted_heads", "heads")  # what depends on the two models alone
Make = Callable[[Any, Any, Any], Tensor | None]


@dataclass(frozen=True)
class AlignmentMap:
    """How a map is computed.

    Attributes:
        make: function ``make(teacher, student, settings)``. It returns M of shape (D_T, D_S). With ``into="teacher"``
            it returns the initial value P, shape (D_S, D_T), of a projection of the student's states, or None for no
            projection. What it returns is checked (:func:`check_map`).
        needs: what ``make`` receives for teacher and student: their output-side ``bases``
            (:class:`semalign.SemanticBasis`), the same as ``inverted_heads``, which make vectors chunk by chunk
            (:class:`semalign.bases.inverted_head.InvertedHead`), the rows of their LM ``heads`` for the shared tokens
            in the same order,
            their ``states`` at the paired layers and matched positions
            (:class:`semalign.targets.store.States`), or ``nothing`` (None).
        into: the space of the targets: the student's, or the teacher's, in which case the layer loss compares the
            student's projected states with the teacher's states.
        atoms: how the map combines the atoms of ``bases`` or ``inverted_heads``. ``paired``: by the sum of Section 4.2
            over the tokens that both models have, and ``permuted``: by the same sum after a permutation of the
            student's atoms; it then needs ``inverted_heads``, and settings can choose atoms and coefficients.
            ``shared``: over these tokens too, but in another way. None: whatever tokens the models share.
    """

    make: Make
    needs: Needs
    into: Into = "student"
    atoms: Atoms | None = None

    @property
    def of_models(self) -> bool:
        """Whether there is a map, and it depends on the two models alone, and not on states."""
        return self.needs in OF_MODELS or (self.needs == "nothing" and self.into == "student")

    @property
    def of_shared_tokens(self) -> bool:
        """Whether there is no such map of models that share too few tokens."""
        return self.needs == "heads" or self.atoms is not None


MAPS: Registry[AlignmentMap] = Registry("map", __name__)
"""All maps by name, the value of the setting ``map``."""


def alignment_map(
    name: str, *, needs: Needs, into: Into = "student", atoms: Atoms | None = None
) -> Callable[[Make], Make]:
    """Return the decorator that registers a map; see :class:`AlignmentMap`.

    Raises:
        ValueError: for another value of ``needs``, ``into`` or ``atoms``, for a projection into the teacher's space
            that is computed from bases or heads, or for a map that combines atoms and does not receive them.
    """
    _check_words(name, needs=(needs, Needs), into=(into, Into))
    if into == "teacher" and needs in OF_MODELS:
        raise ValueError(f"map {name!r}: a projection into the teacher's space is fitted on states (needs='states')")
    if atoms is not None:
        _check_words(name, atoms=(atoms, Atoms))
        _check_received(name, needs, atoms)

    def add(make: Make) -> Make:
        MAPS.add(name, AlignmentMap(_checked(name, make, into), needs, into, atoms))
        return make

    return add


def _check_words(name: str, **given: tuple[str, Any]) -> None:
    for key, (value, words) in given.items():
        if value not in (known := get_args(words)):
            raise ValueError(
                f"map {name!r}: {key} must be one of {', '.join(known)}; it is {value!r}{nearest(value, known)}"
            )


def _check_received(name: str, needs: Needs, atoms: Atoms) -> None:
    """Refuse a map that combines atoms and does not receive them, or receives them where others may be chosen."""
    known: tuple[Needs, ...] = ("bases", "inverted_heads") if atoms == "shared" else ("inverted_heads",)
    if needs not in known:
        raise ValueError(f"map {name!r}: with atoms={atoms!r}, needs must be {' or '.join(known)}; it is {needs!r}")


def _checked(name: str, make: Make, into: Into) -> Make:
    """Return the function of a map with the checks of what it returns."""

    @wraps(make)
    def checked(teacher: Any, student: Any, settings: Any) -> Tensor | None:
        found = make(teacher, student, settings)
        if into == "teacher" and found is None:
            return None
        if teacher is None:  # the shape is checked where the widths are known
            if into == "teacher":
                raise ValueError(f"map {name!r}: a projection into the teacher's space needs='states'")
            return check_map(name, found)
        widths = _width(teacher), _width(student)
        return check_map(name, found, widths if into == "student" else widths[::-1])

    return checked


def _width(given: Any) -> int:
    return given.shape[-1] if isinstance(given, Tensor) else given.width


def check_map(name: str, found: Any, shape: tuple[int, int] | None = None) -> Tensor:
    """Return the matrix of a map, without gradients.

    Args:
        name: name of the map.
        found: what its function has returned.
        shape: the shape that it must have; None: not known here.

    Raises:
        ValueError: unless it is a floating-point tensor of this shape, whose numbers are finite.
    """
    if not isinstance(found, Tensor) or not found.is_floating_point():
        kind = f"a tensor of {found.dtype}" if isinstance(found, Tensor) else f"a {type(found).__name__}"
        raise ValueError(f"map {name!r} must return a floating-point tensor; it returned {kind}")
    if shape is not None and found.shape != shape:
        raise ValueError(
            f"map {name!r} must return a matrix of shape {shape}, from the space of its input to that of its target; "
            f"it returned {tuple(found.shape)}"
        )
    if wrong := int((~torch.isfinite(found)).sum()):
        raise ValueError(f"map {name!r} returned NaN or infinity in {wrong} of {found.numel()} places")
    return found.detach()
