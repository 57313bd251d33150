"""The details of a run record that a method gives: what a record can hold, under names that no run uses itself."""

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from pydantic_core import to_json

from semalign.models.saved_files import LISTED
from semalign.results.training import Training, layers_of

OF_RUNS = frozenset({"held_out_seen", "before", "after", "types", "base", LISTED})
TAKEN = OF_RUNS | (Training.model_fields.keys() - {"layer_cosine"})
"""Names that a run gives its own details; a method may not use them."""
# Names that are read in a form of their own; those in one line are read together.
READ = (
    ("layer_cosine",),
    ("pairs", "student_layer", "teacher_layers"),
    ("correct", "scores"),
)
METRICS = frozenset({"response_nll", "training_loss"})
"""The metrics of a training."""


def recordable(details: Mapping[Any, Any]) -> dict[str, Any]:
    """Return those details that a record can hold, in the form of JSON; NaN and infinite numbers are None.

    Left out are values that JSON cannot hold, names that a run uses itself (:data:`TAKEN`), and values that are not in
    the form in which records are read under their names.
    """
    held = {}
    for name, value in details.items():
        if isinstance(name, str) and name not in TAKEN:
            with suppress(ValueError, TypeError, RecursionError):
                held[name] = json.loads(to_json(value, inf_nan_mode="null"))
    for names in READ:
        if not _reads({name: held[name] for name in names if name in held}):
            held = {name: value for name, value in held.items() if name not in names}
    return held


def _reads(details: Mapping[str, Any]) -> bool:
    """Return whether what records say under some names can be read; the flags of items are those of a score."""
    try:
        Training.model_validate(details)
        layers_of(details)
        return "correct" not in details or not METRICS & set(details.get("scores") or ())
    except Exception:  # they may hold anything
        return False
