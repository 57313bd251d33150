"""The table of what two heads share, for models of this book and for small micro models that were trained apart."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from semalign.book.markdown import Cell
from semalign.results.records import read_record

MODELS = "models"
PAIRS = (
    ("micro-teacher", "micro-student"),
    ("gemma3-270m", "smollm2-135m"),
    ("micro-teacher", "micro-sibling"),
    ("micro-coder", "micro-teacher"),
)
CHANGES = (
    "nothing",
    "weight decay of the heads",
    "tied heads",
    "half the width",
    "a larger vocabulary",
    "published text",
    "published text and a larger vocabulary",
)


def names() -> dict[str, str]:
    """Return what each line is called, by the name of its record: pairs of models, then changes of the training."""
    pairs = {"--".join(pair): " → ".join(pair) for pair in PAIRS}
    changes = {change.replace(" ", "-"): change.replace("nothing", "the recipe, shortened") for change in CHANGES}
    return pairs | changes


def apart_records(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the records that are there, in the order of the table."""
    return {name: read_record(path) for name in names() if (path := folder / f"{name}.json").is_file()}


def apart_table(records: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """Return for each pair of models how far atoms correspond and how many directions the two heads share.

    Args:
        records: the records by name (:func:`apart_records`).
    """
    return pd.DataFrame(
        [
            {MODELS: called, **_numbers(records[name]["configuration"], records[name]["details"])}
            for name, called in names().items()
            if name in records
        ]
    )


def _numbers(configuration: Mapping[str, Any], details: Mapping[str, Any]) -> dict[str, Any]:
    atoms, directions = details["correspondence"]["atoms"], details["directions"]
    return {
        "tokens": _count("tokens", configuration.get("tokens")),
        "widths": " and ".join(map(str, details["widths"])),
        "atoms": _count("atoms", details["vocabulary"]),
        "CKA of atoms": atoms["aligned"],
        "at random": atoms["permuted"],
        "CKA of head rows": details["correspondence"]["head"]["aligned"],
        "first direction": details["energy"]["first"],
        "shared directions": directions["shared"],
        "of": directions["of"],
    }


def _count(name: str, number: int | None) -> Cell | str:
    return "" if number is None else Cell(f"{number:,}", {name: number})
