"""What every job of a profile will need, computed from configurations alone: memory, disk, work and hours."""

from semalign.planning.job import Job
from semalign.planning.jobs import plan
from semalign.planning.machines import MACHINES, Machine
from semalign.planning.setup import Options

__all__ = ["MACHINES", "Job", "Machine", "Options", "plan"]
