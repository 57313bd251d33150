"""The comparisons at the sizes of the paper's Table 5 that stand beside a profile, one for each student."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from semalign.experiments.profile_paths import profile_names
from semalign.experiments.profiles import Profile, load_profile
from semalign.experiments.runs import current
from semalign.experiments.students import student_rows
from semalign.paths import results_dir
from semalign.results.records import NONE, PAPER, read_records

SUFFIXES = ("fair", "sibling")


@dataclass(frozen=True)
class PaperSized:
    """A comparison that a page shows beside those of its own profile, with its current records.

    Attributes:
        profile: its profile.
    """

    profile: Profile

    @property
    def entries(self) -> list[str]:
        """The paper's method, and the variants of the profile."""
        return list(dict.fromkeys([PAPER, *self.profile.variants]))

    @property
    def command(self) -> str:
        """The command that makes its records."""
        return f"semalign compare --profile {self.profile.name}"

    @cached_property
    def paths(self) -> list[Path]:
        """Its current records."""
        folder = results_dir() / self.profile.name
        if not folder.is_dir():
            return []
        return [folder / name for name in sorted(current(self.profile, folder, self.entries))]

    @cached_property
    def records(self) -> pd.DataFrame:
        """Its current records as a table, see :func:`semalign.results.records.read_records`."""
        folder = results_dir() / self.profile.name
        folder.mkdir(parents=True, exist_ok=True)
        return read_records(folder, [path.name for path in self.paths])

    @cached_property
    def before(self) -> dict[str, list[float]]:
        """The held-out NLL of each row by the student as it is, for each task with records of a training."""
        trained = self.records[self.records["method"] != NONE]["task"]
        return {task: student_rows(self.profile, task) for task in self.profile.tasks if task in set(trained)}


def paper_sized(name: str) -> list[PaperSized]:
    """Return the comparisons that stand beside a profile: those of the packaged profiles NAME-fair and NAME-sibling.

    Args:
        name: name of the profile.
    """
    known = profile_names()
    found = [f"{name}-{suffix}" for suffix in SUFFIXES if f"{name}-{suffix}" in known]
    return [PaperSized(load_profile(each)) for each in found]
