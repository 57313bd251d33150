"""Which records of a profile are current: whole, and still of the models, data and settings that are here.

Nothing here loads PyTorch, as long as the identities of the models are remembered.
"""

from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

from semalign.experiments.cells import Cell, cells
from semalign.experiments.inputs import training_rows
from semalign.experiments.made_from import configuration, fingerprints
from semalign.experiments.profiles import Profile
from semalign.experiments.staleness import Asked, problem
from semalign.files import json_fingerprint
from semalign.results.records import NONE


def missing(
    profile: Profile, folder: Path, names: Sequence[str] | None = None, records: Sequence[str] | None = None
) -> dict[Cell, str]:
    """Return the cells of a profile without a current record, and why.

    The reason is that of :func:`semalign.experiments.staleness.problem`. A record is stale if it was made from other
    models, data or settings; those that differ are named.

    Args:
        profile: the profile.
        folder: where its records are.
        names: see :func:`semalign.experiments.cells.entries_of`.
        records: see :func:`semalign.experiments.cells.cells`.
    """
    reason_of = reasons(profile, folder)
    found = {cell: reason_of(cell) for cell in cells(profile, names, records)}
    return {cell: reason for cell, reason in found.items() if reason is not None}


def reasons(profile: Profile, folder: Path) -> Callable[[Cell], str | None]:
    """Return the function that says why a cell has to be run, None if it need not."""
    data = cache(lambda task: json_fingerprint(training_rows(profile, task)))
    made_from = cache(lambda cell: fingerprints(cell, data, profile.scored))

    def asked(cell: Cell, record: dict[str, Any]) -> Asked:
        alike = cell._replace(method=NONE, seed=None)  # of which models, rows and items are the same
        return made_from(alike), configuration(profile, cell, record)

    return lambda cell: problem(folder / cell.file_name, partial(asked, cell), "value")


def current(
    profile: Profile, folder: Path, names: Sequence[str] | None = None, records: Sequence[str] | None = None
) -> set[str]:
    """Return the file names of a profile's records that are whole and not stale; arguments as in `missing`."""
    absent = missing(profile, folder, names, records)
    return {cell.file_name for cell in cells(profile, names, records) if cell not in absent}
