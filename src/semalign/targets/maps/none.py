"""No map: the targets are the teacher's states, for layer losses that compare states in different spaces."""

from semalign.settings import TransferSettings
from semalign.targets.maps import alignment_map


@alignment_map("none", needs="nothing", into="teacher")
def no_map(teacher: None, student: None, settings: TransferSettings) -> None:
    """Return None: the student's states are not projected."""
