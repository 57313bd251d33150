"""The phases in which any method adapts a student, by the kind of its settings."""

from collections.abc import Iterable

from semalign.methods.laten.settings import LatenSettings
from semalign.methods.seeking.settings import SeekingSettings
from semalign.planning import baselines, transfer
from semalign.planning.left_out import UnplannedError
from semalign.planning.setup import Phase, Setup
from semalign.planning.texts import Texts, trained_on
from semalign.settings import MethodSettings, TrainingSettings, TransferSettings


def phases_of(setup: Setup, settings: MethodSettings, texts: Texts) -> Iterable[Phase]:
    """Return the phases in which a student is adapted on the rows that the settings ask for, by their kind.

    Raises:
        UnplannedError: for a method whose settings are of no kind that is known here.
    """
    texts = trained_on(texts, settings)
    if isinstance(settings, TransferSettings):
        return transfer.phases(setup, settings, texts)
    if isinstance(settings, SeekingSettings):
        return baselines.seeking(setup, settings, texts)
    if isinstance(settings, LatenSettings):
        return baselines.laten(setup, settings, texts)
    if isinstance(settings, TrainingSettings):
        return baselines.fine_tuning(setup, settings, texts)
    raise UnplannedError(f"what a method with settings {type(settings).__name__} needs is not known: measure a run")
