"""One job of a profile, and what it will need."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from semalign.planning.setup import Phase
from semalign.planning.stored import States

Kind = Literal["evaluation", "cell", "selection", "decomposition", "cka", "notebook"]
KEPT = 4 * 10**6  # bytes of a record with its samples


@dataclass(frozen=True)
class Job:
    """One job, and what it will need.

    Attributes:
        name: for a cell or a point the stem of its record's file name.
        kind: what it is.
        entry: the method or variant, or the kind for other jobs.
        teacher: the larger model of a transfer, else None.
        student: the model that is adapted, scored or read.
        task: the task, else None.
        phases: its parts, one after the other.
        gpu_memory: peak in bytes over all its GPUs.
        host_memory: peak in bytes.
        gpus: GPUs that hold its peak; 1 for a method that no device map can spread.
        spreads: whether a device map can spread its models.
        states: the states that it stores, if no other job has done so, with their bytes.
    """

    name: str
    kind: Kind
    entry: str
    teacher: str | None
    student: str
    task: str | None
    phases: tuple[Phase, ...]
    gpu_memory: int
    host_memory: int
    gpus: int
    spreads: bool = True
    states: Mapping[States, int] = field(default_factory=dict)

    @property
    def disk(self) -> int:
        """Bytes that it writes: states, and its record."""
        return KEPT + sum(self.states.values())

    @property
    def flops(self) -> int:
        """Operations."""
        return sum(phase.flops for phase in self.phases)

    @property
    def hours(self) -> float:
        """Hours on the machine of the plan."""
        return sum(phase.seconds for phase in self.phases) / 3600

    @property
    def label(self) -> str:
        """Name for a table, without seed and owners; jobs that differ in the seed have the same."""
        parts = (self.entry, self.teacher or self.student, self.task)
        return " ".join(part.rpartition("/")[2] for part in parts if part)

    @property
    def largest(self) -> Phase:
        """The phase that needs most memory."""
        return max(self.phases, key=lambda phase: phase.gpu_memory)
