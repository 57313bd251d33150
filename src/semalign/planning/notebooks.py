"""What a notebook of the book needs, told by its code."""

import re
from collections.abc import Callable
from pathlib import Path

from semalign.experiments.profiles import Profile
from semalign.planning.phases import phases_of
from semalign.planning.setup import Phase, Setup
from semalign.planning.texts import ProfileTexts
from semalign.settings import TransferSettings

READING = 60.0  # seconds


def notebook_phases(path: Path, profile: Profile, setup: Callable[[], Setup], texts: ProfileTexts) -> list[Phase]:
    """Return the phases of a notebook: it trains once, as SemAlign does, or holds both models, or reads records.

    Args:
        path: its source.
        profile: the profile that it runs on.
        setup: gives the setup of the profile's models, where it needs them.
        texts: the lengths of the profile's texts.
    """
    code = re.sub(r"^#.*", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    trains = re.search(r"\b(transfer|run_method|run_cell)\(", code)
    if not (trains or "load_model" in code):
        return [Phase("read", 0, 0, READING)]
    both = setup()
    phases = [both.reading(both.teacher, both.student)]
    if trains:
        task = next(iter(profile.tasks))
        phases += phases_of(both, TransferSettings(**profile.settings_for(task)), texts.training(task))
    return phases
