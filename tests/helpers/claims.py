"""Records and scores with few items, for the rules of the ledger."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from semalign.book.claims.evidence import Scores
from semalign.results.records import make_record, write_record

FIELDS: dict[str, Any] = {
    "method": "semalign", "teacher": None, "student": "elsewhere", "task": "gsm8k", "seed": 0, "metric": "number",
    "value": 1.0, "n": 1, "configuration": {}, "fingerprints": {}, "seconds": 1.0,
}  # fmt: skip


def put(root: Path, name: str, **fields: Any) -> Path:
    """Write a record below ``data/results`` of a project folder."""
    path = root / "data" / "results" / name
    device = fields.pop("device", "cpu")
    write_record(path, {**make_record(**{**FIELDS, **fields}), "device": device})
    return path


@dataclass
class FakeProfile:
    """The parts of a profile that rules on scores read."""

    name: str = "p"
    teacher: str = "general"
    student: str = "small"
    tasks: tuple[str, ...] = ("a",)
    teachers: dict[str, list[str]] = field(default_factory=lambda: {"coder": ["code"]})


class FakeScores(Scores):
    """Scores of a profile: ``right`` of ``n`` items, one seed.

    Of three runs of SemAlign on task ``a`` one trained and one does not say; those of ``idle``, each a method, a task
    and a teacher, did not train.
    """

    def __init__(
        self,
        right: Mapping[tuple[str, str, str], int],
        n: int = 200,
        tasks: tuple[str, ...] = ("a",),
        idle: Collection[tuple[str, str, str]] = (),
    ):
        self.right, self.n, self.profile = right, n, FakeProfile(tasks=tasks)
        runs = [("semalign", "a", "general", trained) for trained in (True, False, None)]
        runs += [(*run, False) for run in idle]
        self.records = pd.DataFrame(runs, columns=["method", "task", "teacher", "trained"])

    def flags(self, method: str, task: str, teacher: str) -> np.ndarray:
        return (np.arange(self.n) < self.right[method, task, teacher]).astype(float)[None]
