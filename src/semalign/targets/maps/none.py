"""No map: targets are the teacher's own states, for layer losses that compare across spaces."""

from semalign.settings import TransferSettings
from semalign.targets.maps import alignment_map


@alignment_map("none", needs="nothing", into="teacher")
def no_map(teacher: None, student: None, settings: TransferSettings) -> None:
    """Return no projection: the student's states are compared as they are."""
