"""The map of two models that depends on their heads alone, and targets of chosen atoms, which no such map gives."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from semalign.bases.inverted_head import InvertedHead
from semalign.data.rows import Row
from semalign.settings import TransferSettings
from semalign.targets.alignment import AtomAlignment
from semalign.targets.chosen_atoms import chosen_atoms
from semalign.targets.maps import MAPS, check_map
from semalign.targets.pair_heads import PairHeads
from semalign.targets.vocabularies import shared_atoms


def map_of_models(
    heads: PairHeads, settings: TransferSettings, rows: Sequence[Row] = ()
) -> Float[Tensor, "d_teacher d_student"] | None:
    """Return the map of the settings in float32, or None where there is none that the two models alone decide.

    That is so if the map is fitted on states, if the targets stay in the teacher's space, or if they are made atom by
    atom (:func:`by_atoms`).

    Args:
        heads: the heads of the pair.
        settings: settings of the transfer.
        rows: training rows, for settings that choose atoms by their tokens.

    Raises:
        ValueError: for too few shared tokens, or what is no map (:func:`semalign.targets.maps.check_map`).
    """
    if _coefficients_change(settings):
        shared_atoms(*atoms(heads, settings, rows))  # so that too few are told before any long work
        return None
    if MAPS[settings.map].needs == "states":
        return None
    found = MAPS[settings.map].make(*_received(heads, settings, rows), settings)
    if found is None:
        return None
    return check_map(settings.map, found, heads.widths).to(heads.device, torch.float32)


def by_atoms(heads: PairHeads, settings: TransferSettings, rows: Sequence[Row] = ()) -> AtomAlignment | None:
    """Return what makes targets from coefficients that differ from the cosines, if the settings ask for it.

    Its vectors take as much memory as both heads in float32. Arguments and errors are those of :func:`map_of_models`.
    """
    if not _coefficients_change(settings):
        return None
    teacher, student = atoms(heads, settings, rows)
    if MAPS[settings.map].atoms == "permuted":
        student = student.permuted(settings.seed)
    return AtomAlignment.of(teacher, student, settings.top_atoms, settings.temperature)


def atoms(heads: PairHeads, settings: TransferSettings, rows: Sequence[Row] = ()) -> tuple[InvertedHead, InvertedHead]:
    """Return the atoms of both models that a map from atom to atom uses; see :func:`map_of_models`."""
    if settings.atoms == "all":
        return heads.inverted
    return chosen_atoms(*heads.inverted, settings.atoms, heads.pair.encode(rows).student, settings.seed)


def _coefficients_change(settings: TransferSettings) -> bool:
    return settings.top_atoms is not None or settings.temperature is not None


def _received(heads: PairHeads, settings: TransferSettings, rows: Sequence[Row]) -> tuple[Any, Any]:
    """Return what the map of the settings receives of teacher and student."""
    needs = MAPS[settings.map].needs
    if needs == "nothing":
        return None, None
    if needs == "heads":
        return heads.shared_rows
    return heads.bases if needs == "bases" else atoms(heads, settings, rows)
