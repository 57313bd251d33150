"""The comparisons that stand on the pages of a profile: its own, a second student's, and those with chosen settings."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from semalign.data.task_file import task_name
from semalign.experiments.cells import cells, entries_of
from semalign.experiments.currency import current
from semalign.experiments.profile_paths import profile_names
from semalign.experiments.profiles import Profile, load_profile
from semalign.experiments.runs import summary
from semalign.experiments.students import student_rows
from semalign.paths import results_dir
from semalign.results.records import NONE, read_records

SECOND, TUNED = "sibling", "tuned"


@dataclass(frozen=True)
class Comparison:
    """The entries of a profile, with their current records.

    Attributes:
        profile: the profile.
    """

    profile: Profile

    @property
    def entries(self) -> list[str]:
        """The paper's method, and what the profile names besides."""
        return entries_of(self.profile)

    @property
    def command(self) -> str:
        """The command that makes its records."""
        return f"semalign compare {self.profile.option}"

    @property
    def folder(self) -> Path:
        """Where its records are."""
        return results_dir() / self.profile.name

    @cached_property
    def paths(self) -> list[Path]:
        """Its current records."""
        if not self.folder.is_dir():
            return []
        return [self.folder / name for name in sorted(current(self.profile, self.folder))]

    @cached_property
    def lacking(self) -> str:
        """How many of its records are missing or stale, and the command that makes them; empty if none is."""
        asked = len(list(cells(self.profile)))
        missing = asked - len(self.paths)
        return f"{missing} of {asked} records are missing or stale: {self.command}" if missing else ""

    @cached_property
    def records(self) -> pd.DataFrame:
        """Its current records as a table, see :func:`semalign.results.records.read_records`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return read_records(self.folder, [path.name for path in self.paths])

    @cached_property
    def scores(self) -> pd.DataFrame:
        """Means over seeds with intervals, see :func:`semalign.experiments.runs.summary`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return summary(self.folder, [path.name for path in self.paths])

    @cached_property
    def before(self) -> dict[str, list[float]]:
        """The held-out NLL of each row by the student as it is, for each task with records of a training."""
        trained = self.records[self.records["method"] != NONE]["task"]
        named = {task_name(task): task for task in self.profile.tasks}
        return {name: student_rows(self.profile, task) for name, task in named.items() if name in set(trained)}


def paper_sized(profile: Profile) -> list[Comparison]:
    """Return the comparisons at the sizes of the paper's Table 5: the profile's own, and that of a second student.

    The second is of the packaged profile NAME-sibling, where there is one.
    """
    return [Comparison(profile), *_packaged(f"{profile.name}-{SECOND}")]


def tuned(profile: Profile) -> list[Comparison]:
    """Return the comparisons under settings that were chosen on validation data: the profile's, and a second student's.

    They are of the packaged profiles NAME-tuned and NAME-sibling-tuned, where there are any.
    """
    names = (f"{profile.name}-{TUNED}", f"{profile.name}-{SECOND}-{TUNED}")
    return [comparison for name in names for comparison in _packaged(name)]


def _packaged(name: str) -> list[Comparison]:
    return [Comparison(load_profile(name))] if name in profile_names() else []
