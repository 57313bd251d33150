"""The table of one transfer with one setting changed at a time: cosines and NLL on held-out rows."""

from collections.abc import Mapping, Sequence
from statistics import mean
from typing import Any

import pandas as pd

from semalign.book.tables.analyses import layers
from semalign.book.tables.controls import difference
from semalign.book.tables.transfers import NOT_RUN
from semalign.experiments.cells import entries_of
from semalign.experiments.profiles import Profile
from semalign.results.pairs import NLL, pair_differences
from semalign.results.records import PAPER

MEASURED = {"layer_cosine": "layer cosine", "output_cosine": "output cosine", "response_nll": "response NLL"}

AGAINST = "NLL, against nothing changed"


def differences(profile: Profile, records: pd.DataFrame) -> pd.DataFrame:
    """Return each variant minus the base in held-out NLL: the lines of ``pair_differences``."""
    return pair_differences(records, [(entry, PAPER) for entry in entries_of(profile) if entry != PAPER], NLL)


def variant_table(profile: Profile, records: pd.DataFrame, lines: pd.DataFrame, task: str) -> pd.DataFrame:
    """Return what a transfer does with each changed setting, below the student as it is and the base; means over seeds.

    Args:
        profile: a profile whose variants change one setting of its SemAlign each.
        records: its records, see :func:`semalign.results.records.read_records`.
        lines: differences of each variant and the base in held-out NLL, see :func:`differences`.
        task: one task of it.
    """
    of_task = records[records["task"] == task]
    beside = {line["ours"]: line for _, line in lines[lines["task"] == task].iterrows()}
    table: list[dict[str, Any]] = []
    for entry in entries_of(profile):
        found = of_task[of_task["method"] == entry]["details"].tolist()
        if found and not table:
            table.append({"changed": "the student as it is", "layers": "", **_means(found, "before"), AGAINST: ""})
        against = difference(beside[entry], 3) if entry in beside else ""
        table.append({"changed": _named(entry), **_measured(found), AGAINST: against})
    return pd.DataFrame(table)


def _named(entry: str) -> str:
    """Return a variant's name as words, whose own hyphens stay."""
    words = "nothing" if entry == PAPER else entry.replace("-", " ")
    return words.replace("cross entropy", "cross-entropy").replace("warm up", "warm-up")


def _means(details: Sequence[Mapping[str, Any]], when: str) -> dict[str, float]:
    return {name: mean(each[when][key] for each in details) for key, name in MEASURED.items()}


def _measured(details: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    if not details:
        return {"layers": NOT_RUN}
    pairs = {(each["teacher_layers"][0][0], each["student_layer"]) for each in details}
    share = mean(each["mean_direction_share"] for each in details)
    pair = layers(*pairs.pop()) if len(pairs) == 1 else "several"
    return {"layers": pair, **_means(details, "after"), "mean share": share}
