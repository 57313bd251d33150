"""Scoring of ``arithmetic.yaml``: the last number of an answer against the number that is right."""

import re
from collections.abc import Mapping, Sequence
from typing import Any


def last_number(answers: Sequence[Sequence[str]], items: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Return the last number of every sample of every item, or the empty string (lm-eval's custom filter)."""
    return [[(re.findall(r"-?\d+", sample) or [""])[-1] for sample in samples] for samples in answers]


def same_number(item: Mapping[str, Any], results: Sequence[Sequence[str]]) -> dict[str, float]:
    """Return 1 for the right number, else 0 (lm-eval's ``process_results``; ``results`` has one entry for an item)."""
    right = item["answer"].rpartition("#### ")[2]
    return {"right": float(results[0][0] == right)}


# What it reads of an item: every item is checked for it before the model answers.
same_number.columns = {"answer": "text"}
